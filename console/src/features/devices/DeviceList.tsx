import { Anchor, Badge, Button, Drawer, Group, Text } from '@mantine/core'
import { IconCpu, IconPlugConnected } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Device } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { decodersQuery } from '@/features/decoders/queries'
import { applicationsQuery } from '@/features/groups/queries'
import { useAddress } from '@/parts/address'
import { type Column, DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { Bulk } from './Bulk'
import { QuickLook } from './QuickLook'
import { listDevices } from './queries'
import { CONNECTIVITY, CONNECTIVITY_TONE, KINDS, OWNERSHIPS, STATE_TONE, STATES } from './words'

const SEEN = ['PT1H', 'P1D', 'P7D', '-PT1H', '-P1D', '-P7D', '-P30D']

/** Devices with filters, bulk actions and a quick look; of one application where one is given. */
export function DeviceList({ applicationId }: { applicationId?: string }) {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const [address, setAddress] = useAddress()
  const { tab, at, sort: sorted = 'name', ...rest } = address
  // When devices were last in contact is not known of the past.
  const sort = at && sorted.endsWith('lastSeenAt') ? 'name' : sorted
  const narrowed = {
    q: rest.q,
    connectivity: rest.connectivity,
    state: rest.state,
    kind: rest.kind,
    tag: rest.tag,
    metadata: rest.metadata,
    decoderId: rest.decoderId,
    ownership: rest.ownership,
    located: rest.located,
    bbox: rest.bbox,
    seen: at ? undefined : rest.seen,
    ...(applicationId ? {} : { applicationId: rest.applicationId }),
  }
  const filter = {
    ...narrowed,
    at,
    organizationId: applicationId ? undefined : organizationId,
    ...(applicationId && { applicationId }),
  }
  const list = usePages(['devices', 'list', filter, sort], (after) => listDevices(filter, sort, after), {
    refetchInterval: at ? false : 15_000,
  })
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const decoders =
    useQuery({ ...decodersQuery(organizationId), enabled: can('decoders:read') }).data?.items ?? []
  const nameOf = (id: string) => applications.find((a) => a.id === id)?.name ?? '–'
  const [looked, setLooked] = useState<Device | null>(null)
  const columns: Column<Device>[] = [
    { key: 'name', label: t('fields.name'), sort: 'name', width: '24%', cell: (d) => d.name },
    {
      key: 'connectivity',
      label: t('fields.connectivity'),
      width: '136px',
      cell: (d) => (
        <Status tone={CONNECTIVITY_TONE[d.connectivity]}>{t(`connectivity.${d.connectivity}`)}</Status>
      ),
    },
    {
      key: 'lastSeenAt',
      label: t('fields.lastSeenAt'),
      sort: at ? undefined : 'lastSeenAt',
      width: '130px',
      cell: (d) => <Time at={d.lastSeenAt} />,
    },
    ...(applicationId
      ? []
      : [
          {
            key: 'application',
            label: t('fields.application'),
            cell: (d: Device) => (
              <Anchor component={Link} to={`/applications/${d.applicationId}`} c="inherit">
                {nameOf(d.applicationId)}
              </Anchor>
            ),
          },
        ]),
    {
      key: 'state',
      label: t('fields.state'),
      width: '148px',
      cell: (d) => <Status tone={STATE_TONE[d.state]}>{t(`deviceState.${d.state}`)}</Status>,
    },
    {
      key: 'model',
      label: t('fields.model'),
      cell: (d) => [d.manufacturer, d.model].filter(Boolean).join(' ') || '–',
    },
    { key: 'place', label: t('fields.place'), cell: (d) => d.place || '–' },
    {
      key: 'kind',
      label: t('fields.kind'),
      extra: true,
      width: '110px',
      cell: (d) => t(`deviceKind.${d.kind}`),
    },
    { key: 'serial', label: t('fields.serial'), extra: true, cell: (d) => d.serial ?? '–' },
    {
      key: 'tags',
      label: t('fields.tags'),
      extra: true,
      cell: (d) => (
        <Group gap={4} wrap="nowrap">
          {d.tags.map((tag) => (
            <Badge key={tag} variant="light" color="gray" tt="none">
              {tag}
            </Badge>
          ))}
        </Group>
      ),
    },
    {
      key: 'createdAt',
      label: t('fields.createdAt'),
      extra: true,
      sort: 'createdAt',
      width: '130px',
      cell: (d) => <Time at={d.createdAt} />,
    },
  ]
  return (
    <>
      {at && list.removed > 0 && (
        <Text c="dimmed" mb="xs">
          {t('past.removed', { count: list.removed })}
        </Text>
      )}
      <DataList
        name={applicationId ? 'application-devices' : 'devices'}
        label={t('places.devices')}
        list={list}
        columns={columns}
        rowKey={(d) => d.id}
        onOpen={setLooked}
        sort={sort}
        onSort={(next) => setAddress({ ...address, sort: next })}
        bulk={
          (can('devices:manage') || can('devices:operate')) && !at
            ? (selected, clear, everything) => (
                <Bulk
                  selected={selected}
                  clear={clear}
                  filter={everything ? filter : null}
                  count={everything ? (list.total ?? selected.length) : selected.length}
                />
              )
            : undefined
        }
        bulkEverything
        tools={
          <Filters
            name="devices"
            search="q"
            placeholder={t('devices.search')}
            value={narrowed}
            onChange={(next) => setAddress({ ...next, tab, sort: address.sort })}
            filters={[
              {
                key: 'connectivity',
                label: t('fields.connectivity'),
                options: CONNECTIVITY.map((c) => ({ value: c, label: t(`connectivity.${c}`) })),
              },
              {
                key: 'state',
                label: t('fields.state'),
                options: STATES.map((s) => ({ value: s, label: t(`deviceState.${s}`) })),
              },
              ...(applicationId
                ? []
                : [
                    {
                      key: 'applicationId',
                      label: t('fields.application'),
                      options: applications.map((a) => ({ value: a.id, label: a.name })),
                    },
                  ]),
              {
                key: 'kind',
                label: t('fields.kind'),
                options: KINDS.map((k) => ({ value: k, label: t(`deviceKind.${k}`) })),
              },
              { key: 'tag', label: t('fields.tags'), extra: true, example: t('devices.tagExample') },
              {
                key: 'metadata',
                label: t('fields.metadata'),
                extra: true,
                example: t('devices.metadataExample'),
              },
              {
                key: 'decoderId',
                label: t('fields.decoder'),
                extra: true,
                options: decoders.map((one) => ({ value: one.id, label: one.name })),
              },
              {
                key: 'located',
                label: t('fields.location'),
                extra: true,
                options: (['yes', 'no'] as const).map((one) => ({
                  value: one,
                  label: t(`devices.located.${one}`),
                })),
              },
              ...(at
                ? []
                : [
                    {
                      key: 'seen',
                      label: t('fields.lastSeenAt'),
                      extra: true,
                      options: SEEN.map((one) => ({
                        value: one,
                        label: t(one.startsWith('-') ? 'devices.notSeenFor' : 'devices.seenWithin', {
                          time: t(`devices.spans.${one.replace('-', '') as 'P1D'}`),
                        }),
                      })),
                    },
                  ]),
              // A part of the map is chosen on the map.
              ...(rest.bbox
                ? [
                    {
                      key: 'bbox',
                      label: t('fields.place'),
                      options: [{ value: rest.bbox, label: t('devices.partOfMap') }],
                    },
                  ]
                : []),
              {
                key: 'ownership',
                label: t('fields.ownership'),
                extra: true,
                options: OWNERSHIPS.map((one) => ({ value: one, label: t(`ownership.${one}`) })),
              },
            ]}
          />
        }
        empty={
          at || Object.values(narrowed).some(Boolean) ? (
            <Empty icon={IconCpu} title={t('list.noneFound')}>
              {t('list.noneFoundHelp')}
            </Empty>
          ) : (
            <Empty
              icon={IconCpu}
              title={t('devices.emptyTitle')}
              action={
                can('devices:manage') && (
                  <Button
                    component={Link}
                    to="/connect"
                    search={(applicationId ? { application: applicationId } : {}) as never}
                    leftSection={<IconPlugConnected size={16} />}
                  >
                    {t('places.connect')}
                  </Button>
                )
              }
            >
              {t('devices.empty')}
            </Empty>
          )
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={420}
        title={looked?.name}
        overlayProps={{ opacity: 0.15 }}
        transitionProps={{ duration: 120 }}
      >
        {looked && <QuickLook device={looked} application={nameOf(looked.applicationId)} at={at} />}
      </Drawer>
    </>
  )
}
