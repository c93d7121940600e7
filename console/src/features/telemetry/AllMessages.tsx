import { Anchor, Button, Drawer, Group, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { IconMessage2, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import { usePages } from '@/api/pages'
import type { RecentMessage } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { decoderQuery } from '@/features/decoders/queries'
import { DeviceSearch } from '@/features/devices/DeviceSearch'
import { deviceQuery } from '@/features/devices/queries'
import { applicationsQuery } from '@/features/groups/queries'
import { useAddress } from '@/parts/address'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Download } from '@/parts/Download'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { FeedMark } from './FeedMark'
import { useValueText, type Value } from './LatestValues'
import { MessageView } from './Messages'
import { boundsOf } from './period'
import { listRecent, messageQuery } from './queries'
import { Result } from './Result'

const PERIODS = ['quarter', 'hour', 'day', 'between'] as const
const REFRESH_MS = 3_000
/** What is rare is searched for far back, which costs the server more. */
const SEARCH_MS = 20_000
/** Whoever has scrolled on reads; the list then stands still. */
const FIRST_PAGE = 50

/** What all devices send, as it comes in. */
export function AllMessages() {
  const { t } = useTranslation()
  const text = useValueText()
  const client = useQueryClient()
  const { organizationId } = useSession()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<RecentMessage | null>(null)
  const [paused, setPaused] = useState(false)
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const { applicationId, deviceId, problems, period, from, to } = address
  const between = period === 'between'
  const bounds = () => boundsOf({ period, from, to }, Date.now())
  const filter = { organizationId, applicationId, deviceId, problems: problems === 'true' || undefined }
  const narrow = Object.values(filter).some(Boolean)
  const key = ['messages', 'all', filter, period, from, to]
  const list = usePages(key, (after) => listRecent({ ...filter, ...bounds() }, after), {
    refetchInterval: paused ? undefined : narrow ? SEARCH_MS : REFRESH_MS,
  })
  const further = list.items.length > FIRST_PAGE
  useEffect(() => {
    if (further) setPaused(true)
  }, [further])
  const resume = () => {
    setPaused(false)
    window.scrollTo({ top: 0 })
    void client.resetQueries({ queryKey: key })
  }
  return (
    <Page
      title={t('places.messages')}
      lead={t('messages.lead')}
      calls={[{ path: '/api/v1/messages', query: { ...filter, ...bounds() } }]}
      action={
        <Group gap="md">
          <FeedMark state={paused ? 'paused' : list.error ? 'lost' : 'live'} />
          <Button
            variant="default"
            leftSection={paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
            onClick={() => (paused ? resume() : setPaused(true))}
          >
            {paused ? t('live.resume') : t('live.pause')}
          </Button>
        </Group>
      }
    >
      <DataList
        name="messages"
        label={t('places.messages')}
        list={list}
        rowKey={(m) => m.position}
        onOpen={setLooked}
        tools={
          <Group gap={6}>
            <DeviceSearch
              compact
              value={deviceId ?? null}
              onChange={(id) => setAddress({ ...address, deviceId: id ?? undefined })}
            />
            <Filters
              name="messages"
              value={{ applicationId, period, problems, ...(between && { from, to }) }}
              onChange={(next) => setAddress({ deviceId, ...next })}
              filters={[
                {
                  key: 'applicationId',
                  label: t('fields.application'),
                  options: applications.map((a) => ({ value: a.id, label: a.name })),
                },
                {
                  key: 'period',
                  label: t('readings.period'),
                  options: PERIODS.map((one) => ({ value: one, label: t(`messages.last.${one}`) })),
                },
                {
                  key: 'problems',
                  label: t('messages.show'),
                  options: [{ value: 'true', label: t('messages.onlyProblems') }],
                },
              ]}
            />
            {between &&
              (['from', 'to'] as const).map((bound) => (
                <TextInput
                  key={bound}
                  type="datetime-local"
                  aria-label={t(`replays.${bound}`)}
                  value={address[bound] ?? ''}
                  onChange={(event) => setAddress({ ...address, [bound]: event.currentTarget.value })}
                />
              ))}
            {deviceId && (
              <Download
                path={() => `/api/v1/devices/${deviceId}/messages${queryString(bounds())}`}
                name="messages"
                forms={['ndjson']}
              />
            )}
          </Group>
        }
        columns={[
          {
            key: 'received',
            label: t('messages.received'),
            width: '130px',
            cell: (m) => <Time at={m.receivedAt} />,
          },
          {
            key: 'device',
            label: t('fields.device'),
            width: '24%',
            cell: (m) => (
              <Anchor component={Link} to={`/devices/${m.deviceId}`}>
                {m.deviceName}
              </Anchor>
            ),
          },
          {
            key: 'result',
            label: t('messages.result'),
            width: '130px',
            cell: (m) => (
              <Result problem={m.problem !== null} values={(m.document as object | null) ?? m.values} />
            ),
          },
          {
            key: 'values',
            label: t('messages.values'),
            cell: (m) =>
              m.problem ??
              (Object.entries(m.values)
                .map(([series, value]) => `${series} ${text(value as Value)}`)
                .join(' · ') ||
                '–'),
          },
          {
            key: 'channel',
            label: t('messages.channel'),
            width: '110px',
            extra: true,
            cell: (m) => m.channel || '–',
          },
        ]}
        empty={
          <Empty icon={IconMessage2} title={t('messages.emptyTitle')}>
            {t('messages.emptyHere')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={560}
        title={t('messages.one')}
        overlayProps={{ opacity: 0.15 }}
        transitionProps={{ duration: 120 }}
      >
        {looked && <Whole recent={looked} />}
      </Drawer>
    </Page>
  )
}

/** One message whole, whose it is and what read it. */
function Whole({ recent }: { recent: RecentMessage }) {
  const { t } = useTranslation()
  const { can } = useSession()
  const message = useQuery(messageQuery(recent.deviceId, recent.position))
  const device = useQuery(deviceQuery(recent.deviceId)).data
  const decoderId = device?.decoderId ?? ''
  const readsDecoders = can('decoders:read')
  const decoder = useQuery({ ...decoderQuery(decoderId), enabled: decoderId !== '' && readsDecoders }).data
  return (
    <Stack>
      <Facts
        rows={[
          [
            t('fields.device'),
            <Anchor key="device" component={Link} to={`/devices/${recent.deviceId}?tab=messages`}>
              {recent.deviceName}
            </Anchor>,
          ],
          [
            t('fields.decoder'),
            decoder ? (
              <Anchor key="decoder" component={Link} to={`/decoders/${decoder.id}`}>
                {decoder.name}
              </Anchor>
            ) : device && !decoderId ? (
              t('devices.noDecoder')
            ) : null,
          ],
        ]}
      />
      {recent.problem && (
        <Text c="red" ff="monospace" fz="sm" style={{ overflowWrap: 'anywhere' }}>
          {recent.problem}
        </Text>
      )}
      {message.data ? (
        <MessageView deviceId={recent.deviceId} message={message.data} document={recent.document} />
      ) : message.error ? (
        <Text c="dimmed">{t('messages.goneLong')}</Text>
      ) : (
        <Skeleton height={200} />
      )}
      {message.error && recent.document !== null && recent.document !== undefined && (
        <Panel title={t('trial.document')}>
          <CodeBlock code={JSON.stringify(recent.document, null, 2)} label={t('trial.document')} />
        </Panel>
      )}
    </Stack>
  )
}
