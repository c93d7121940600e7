import { Anchor, Badge, Button, Grid, Group, Image, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { applicationQuery } from '@/features/groups/queries'
import { NoticeList } from '@/features/notifications/NoticeList'
import { openNoticesOfQuery } from '@/features/notifications/queries'
import { DeviceOperations } from '@/features/operations/DeviceOperations'
import { Live } from '@/features/telemetry/Live'
import { Messages } from '@/features/telemetry/Messages'
import { Readings } from '@/features/telemetry/Readings'
import { Then } from '@/features/telemetry/Then'
import { Vitals } from '@/features/telemetry/Vitals'
import { Access } from '@/features/users/Access'
import { useAddress } from '@/parts/address'
import { CopyValue } from '@/parts/Copy'
import { Failure } from '@/parts/Failure'
import { MiniMap } from '@/parts/MiniMap'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { Connection } from './Connection'
import { DeviceSettings } from './DeviceSettings'
import { deviceQuery, photoAddress, presenceQuery } from './queries'
import { Timeline } from './Timeline'
import { Trace } from './Trace'
import { UnknownBytes } from './UnknownBytes'
import { CONNECTIVITY_TONE, STATE_TONE } from './words'

const TABS = [
  'live',
  'readings',
  'messages',
  'operations',
  'notices',
  'timeline',
  'trace',
  'access',
  'settings',
] as const
const WORD = {
  live: 'devices.live',
  readings: 'devices.readings',
  messages: 'places.messages',
  operations: 'places.operations',
  notices: 'places.notices',
  timeline: 'devices.timeline',
  trace: 'trace.tab',
  access: 'access.title',
  settings: 'devices.settings',
} as const

/** One device, in all its sides. */
export function DevicePage() {
  const { t } = useTranslation()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const [address, setAddress] = useAddress()
  const { at } = address
  const found = useQuery(deviceQuery(id, at))
  const device = found.data
  // Who has it as their own need not see its application.
  const seesApplication = !!device && can('applications:read', device.organizationId)
  const application = useQuery({
    ...applicationQuery(device?.applicationId ?? ''),
    enabled: seesApplication,
  }).data
  const notices = useQuery(openNoticesOfQuery(id)).data?.items ?? []
  const devices = { label: t('places.devices'), to: '/devices', search: at ? { at } : undefined }
  if (found.error && (at || !device)) {
    const failure = <Failure of={found.error} retry={() => void found.refetch()} />
    if (!at) return failure
    return (
      <Page title={device?.name ?? '…'} crumbs={[devices]} past>
        {failure}
      </Page>
    )
  }
  const present = !at
  const may = {
    live: true,
    readings: true,
    messages: present && can('messages:read', device?.organizationId),
    operations: present,
    notices: present,
    timeline: present,
    trace: present,
    access: present && can('users:read', device?.organizationId),
    settings: present && can('devices:manage', device?.organizationId),
  }
  const asked = TABS.find((name) => name === address.tab && may[name])
  const tab = asked ?? 'live'
  return (
    <Page
      title={device?.name ?? '…'}
      crumbs={[
        devices,
        ...(application ? [{ label: application.name, to: `/applications/${application.id}` }] : []),
      ]}
      beside={
        device && (
          <Group gap="md">
            <Status tone={CONNECTIVITY_TONE[device.connectivity]}>
              {t(`connectivity.${device.connectivity}`)}
            </Status>
            <Status tone={STATE_TONE[device.state]}>{t(`deviceState.${device.state}`)}</Status>
            {present && notices.length > 0 && (
              <Anchor component={Link} to="." search={{ tab: 'notices' } as never} c="inherit">
                <Status tone="warning">{t('notices.openHere', { count: notices.length })}</Status>
              </Anchor>
            )}
          </Group>
        )
      }
      figures={device && <Vitals device={device} at={at} />}
      calls={[
        { path: `/api/v1/devices/${id}`, query: { at } },
        { path: `/api/v1/devices/${id}/latest`, query: { at } },
        {
          path: `/api/v1/devices/${id}/readings`,
          query: { from: '2026-01-01T00:00:00Z', to: at, step: 'PT1H' },
        },
      ]}
      past
      action={
        may.settings && (
          <Button
            component={Link}
            to="/connect"
            search={{ device: id } as never}
            variant="default"
            leftSection={<IconPlugConnected size={16} />}
          >
            {t('devices.howToConnect')}
          </Button>
        )
      }
    >
      {!device ? (
        <Skeleton height={360} />
      ) : (
        <Grid>
          <Grid.Col span={{ base: 12, lg: tab === 'settings' ? 12 : 9 }}>
            <Tabs value={tab} onChange={(next) => setAddress({ tab: next ?? undefined })}>
              <Tabs.List mb="md">
                {TABS.filter((name) => may[name]).map((name) => (
                  <Tabs.Tab key={name} value={name}>
                    {t(at && name === 'live' ? 'past.values' : WORD[name])}
                  </Tabs.Tab>
                ))}
              </Tabs.List>
              <Tabs.Panel value="live">
                {at ? (
                  <Then deviceId={id} at={at} />
                ) : (
                  <Stack>
                    <UnknownBytes deviceId={id} />
                    <Live deviceId={id} />
                  </Stack>
                )}
              </Tabs.Panel>
              <Tabs.Panel value="readings">
                <Readings key={at} deviceId={id} at={at} />
              </Tabs.Panel>
              <Tabs.Panel value="messages">
                <Stack>
                  <UnknownBytes deviceId={id} />
                  <Messages deviceId={id} />
                </Stack>
              </Tabs.Panel>
              <Tabs.Panel value="operations">
                <DeviceOperations deviceId={id} organizationId={device.organizationId} />
              </Tabs.Panel>
              <Tabs.Panel value="notices">
                <NoticeList deviceId={id} />
              </Tabs.Panel>
              <Tabs.Panel value="timeline">
                <Timeline device={device} />
              </Tabs.Panel>
              <Tabs.Panel value="trace">
                <Trace key={id} deviceId={id} />
              </Tabs.Panel>
              <Tabs.Panel value="access">
                <Access
                  organizationId={device.organizationId}
                  applicationId={device.applicationId}
                  ownerId={device.ownerId ?? undefined}
                  first="devices:read"
                />
              </Tabs.Panel>
              <Tabs.Panel value="settings">
                <DeviceSettings device={device} />
              </Tabs.Panel>
            </Tabs>
          </Grid.Col>
          {tab !== 'settings' && (
            <Grid.Col span={{ base: 12, lg: 3 }}>
              <About device={device} application={seesApplication ? application?.name : null} past={!!at} />
            </Grid.Col>
          )}
        </Grid>
      )}
    </Page>
  )
}

function About({
  device,
  application,
  past,
}: {
  device: Device
  application?: string | null
  past: boolean
}) {
  const { t } = useTranslation()
  const presence = useQuery(presenceQuery(device.id)).data
  const connection = presence?.connections.find((c) => c.connected) ?? presence?.connections[0]
  const point = device.location?.coordinates
  const photo = photoAddress(device)
  return (
    <Stack>
      <Panel title={t('common.about')}>
        <Facts
          rows={[
            [
              t('fields.application'),
              application === null ? null : (
                <Anchor key="application" component={Link} to={`/applications/${device.applicationId}`}>
                  {application ?? '…'}
                </Anchor>
              ),
            ],
            [t('fields.lastSeenAt'), <Time key="seen" at={device.lastSeenAt} />],
            [t('fields.model'), [device.manufacturer, device.model].filter(Boolean).join(' ') || null],
            [t('fields.serial'), device.serial],
            ...device.identifiers.map((one): [string, string] => [one.kind, one.value]),
            [t('fields.kind'), t(`deviceKind.${device.kind}`)],
            [t('fields.place'), device.place || null],
            [
              t('fields.tags'),
              device.tags.length ? (
                <Group key="tags" gap={4}>
                  {device.tags.map((tag) => (
                    <Badge key={tag} variant="light" color="gray" tt="none">
                      {tag}
                    </Badge>
                  ))}
                </Group>
              ) : null,
            ],
            ...Object.entries(device.metadata).map(([key, value]): [string, string] => [key, value]),
            [t('fields.id'), <CopyValue key="id" value={device.id} />],
          ]}
        />
        {device.comment && (
          <Text mt="xs" c="dimmed" style={{ whiteSpace: 'pre-wrap' }}>
            {device.comment}
          </Text>
        )}
      </Panel>
      {photo && (
        <Image src={photo} alt={t('photo.alt', { name: device.name })} radius="md" mah={260} fit="cover" />
      )}
      {connection && !past && <Connection connection={connection} />}
      {point && point[0] !== undefined && point[1] !== undefined && (
        <Panel title={t('fields.location')} flush>
          <div style={{ padding: 12 }}>
            <MiniMap longitude={point[0]} latitude={point[1]} label={device.name} />
          </div>
        </Panel>
      )}
    </Stack>
  )
}
