import {
  Anchor,
  Badge,
  Button,
  Drawer,
  Group,
  Menu,
  Modal,
  Select,
  Stack,
  TagsInput,
  Text,
} from '@mantine/core'
import { IconChevronDown, IconCpu, IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Device } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { decodersQuery } from '@/features/decoders/queries'
import { applicationsQuery } from '@/features/groups/queries'
import { AskMany } from '@/features/operations/AskMany'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { type Column, DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { Filters } from '@/parts/Filters'
import { failed, told } from '@/parts/notify'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { QuickLook } from './QuickLook'
import { changeDevice, listDevices, moveDevice, removeDevice } from './queries'
import { StateModal } from './StateModal'
import { CONNECTIVITY, CONNECTIVITY_TONE, KINDS, OWNERSHIPS, STATE_TONE, STATES, type State } from './words'

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
            ? (selected, clear) => <Bulk selected={selected} clear={clear} />
            : undefined
        }
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

type BulkAction = 'ask' | 'move' | 'tag' | 'remove'

function Bulk({ selected, clear }: { selected: Device[]; clear: () => void }) {
  const { t } = useTranslation()
  const { can } = useSession()
  const client = useQueryClient()
  const text = useFailureText()
  const [open, setOpen] = useState<BulkAction | null>(null)
  const [next, setNext] = useState<State | null>(null)
  const count = selected.length
  const each = useMutation({
    mutationFn: async (act: (device: Device) => Promise<unknown>) => {
      const ended = await Promise.allSettled(selected.map(act))
      const bad = ended.filter((e) => e.status === 'rejected')
      if (bad[0]) failed(t('devices.someFailed', { count: bad.length, reason: text(bad[0].reason) }))
      return ended.length - bad.length
    },
    onSuccess: (done) => {
      if (done > 0) told(t('devices.changed', { count: done }))
      void client.invalidateQueries({ queryKey: ['devices'] })
      setOpen(null)
      clear()
    },
  })
  return (
    <Group gap="xs">
      {can('devices:operate') && (
        <Button size="compact-sm" variant="default" onClick={() => setOpen('ask')}>
          {t('devices.ask')}
        </Button>
      )}
      {can('devices:manage') && (
        <>
          <Menu position="top" shadow="md">
            <Menu.Target>
              <Button size="compact-sm" variant="default" rightSection={<IconChevronDown size={13} />}>
                {t('devices.setState')}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {STATES.map((state: State) => (
                <Menu.Item key={state} onClick={() => setNext(state)}>
                  {t(`deviceState.${state}`)}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
          <Button size="compact-sm" variant="default" onClick={() => setOpen('tag')}>
            {t('devices.addTags')}
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setOpen('move')}>
            {t('common.move')}
          </Button>
          <Button size="compact-sm" variant="light" color="red" onClick={() => setOpen('remove')}>
            {t('common.remove')}
          </Button>
        </>
      )}
      {open === 'ask' && (
        <AskMany
          devices={selected}
          onClose={() => setOpen(null)}
          onSent={() => {
            setOpen(null)
            clear()
          }}
        />
      )}
      {next && (
        <StateModal
          state={next}
          title={t('devices.becomeMany', { count, state: t(`deviceState.${next}`) })}
          act={(reason) => each.mutateAsync((d) => changeDevice(d.id, null, { state: next }, reason))}
          onClose={() => setNext(null)}
        />
      )}
      {open === 'move' && (
        <MoveModal
          title={t('devices.moveMany', { count })}
          onClose={() => setOpen(null)}
          pending={each.isPending}
          onMove={(application) => each.mutate((d) => moveDevice(d.id, application))}
        />
      )}
      {open === 'tag' && (
        <TagModal
          onClose={() => setOpen(null)}
          onTag={(tags) =>
            each.mutate((d) => changeDevice(d.id, null, { tags: [...new Set([...d.tags, ...tags])] }))
          }
        />
      )}
      {open === 'remove' && (
        <Confirm
          title={t('devices.removeMany', { count })}
          action={t('common.remove')}
          name={String(count)}
          act={() => each.mutateAsync((d) => removeDevice(d.id))}
          onClose={() => setOpen(null)}
        >
          {t('devices.removeAsk', { count })}
        </Confirm>
      )}
    </Group>
  )
}

interface MoveProps {
  title: string
  pending: boolean
  failure?: unknown
  onMove: (applicationId: string) => void
  onClose: () => void
}

/** Choose the application to move to. */
export function MoveModal({ title, pending, onMove, onClose }: MoveProps) {
  const { t } = useTranslation()
  const applications = useQuery(applicationsQuery()).data?.items ?? []
  const [to, setTo] = useState<string | null>(null)
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <Stack>
        <Text c="dimmed">{t('devices.moveHelp')}</Text>
        <Select
          label={t('fields.application')}
          searchable
          data-autofocus
          data={applications.map((a) => ({ value: a.id, label: a.name }))}
          value={to}
          onChange={setTo}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button disabled={!to} loading={pending} onClick={() => to && onMove(to)}>
            {t('common.move')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}

function TagModal({ onTag, onClose }: { onTag: (tags: string[]) => void; onClose: () => void }) {
  const { t } = useTranslation()
  const [tags, setTags] = useState<string[]>([])
  return (
    <Modal opened onClose={onClose} title={t('devices.addTags')} centered>
      <Stack>
        <TagsInput label={t('fields.tags')} data-autofocus value={tags} onChange={setTags} />
        <Group justify="flex-end">
          <Button disabled={tags.length === 0} onClick={() => onTag(tags)}>
            {t('common.add')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
