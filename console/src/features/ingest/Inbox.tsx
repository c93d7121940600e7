import { Anchor, Button, Drawer, Group, Text } from '@mantine/core'
import { IconCheck, IconInbox, IconKey } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Waiting } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { useValueText, type Value } from '@/features/telemetry/LatestValues'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { failed, told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Time } from '@/parts/Time'
import { InboxKey } from './InboxKey'
import { adopt, dismiss, listWaiting } from './queries'
import { WaitingView } from './WaitingView'

/** Senders that nobody knows yet, with what they sent; adopted or discarded. */
export function Inbox() {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const client = useQueryClient()
  const { organizationId, can } = useSession()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<string | null>(null)
  const [discarded, setDiscarded] = useState<Waiting[] | null>(null)
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const filter = { organizationId, applicationId: address.applicationId }
  const list = usePages(['inbox', 'list', filter], (after) => listWaiting(filter, after), {
    refetchInterval: 3_000,
  })
  const refresh = () => {
    void client.invalidateQueries({ queryKey: ['inbox'] })
    void client.invalidateQueries({ queryKey: ['devices'] })
  }
  const take = useMutation({
    mutationFn: (waiting: Waiting[]) => Promise.all(waiting.map((one) => adopt(one.id, {}))),
    onSuccess: (made) => told(t('inbox.adopted', { count: made.length, name: made[0]?.name })),
    onError: (failure) => failed(text(failure)),
    onSettled: refresh,
  })
  const placeName = (id: string) => applications.find((one) => one.id === id)?.name ?? '…'
  const makeKey = can('devices:manage') && (
    <Button leftSection={<IconKey size={16} />} onClick={() => setAddress({ ...address, key: 'true' })}>
      {t('inbox.key')}
    </Button>
  )
  const one = list.items.find((waiting) => waiting.id === looked)
  return (
    <Page
      title={t('places.inbox')}
      lead={
        <>
          {t('inbox.lead')}{' '}
          <Anchor component={Link} to="/refusals" underline="always">
            {t('inbox.toRefusals')}
          </Anchor>
        </>
      }
      action={makeKey}
      calls={[
        { path: '/api/v1/inbox', query: filter },
        { method: 'POST', path: '/api/v1/inbox/…/adopt', body: {} },
      ]}
    >
      <DataList
        name="inbox"
        label={t('places.inbox')}
        list={list}
        rowKey={(waiting) => waiting.id}
        onOpen={(waiting) => setLooked(waiting.id)}
        tools={
          <Filters
            name="inbox"
            value={{ applicationId: address.applicationId }}
            onChange={setAddress}
            filters={[
              {
                key: 'applicationId',
                label: t('fields.application'),
                options: applications.map((a) => ({ value: a.id, label: a.name })),
              },
            ]}
          />
        }
        bulk={(selected, clear) => (
          <>
            <Button
              size="compact-sm"
              loading={take.isPending}
              onClick={() => take.mutate(selected, { onSuccess: clear })}
            >
              {t('inbox.adopt')}
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => setDiscarded(selected)}>
              {t('inbox.discard')}
            </Button>
          </>
        )}
        columns={[
          {
            key: 'sender',
            label: t('inbox.sender'),
            width: '18%',
            cell: (waiting) => (
              <Text span fw={600}>
                {waiting.sender}
              </Text>
            ),
          },
          {
            key: 'sent',
            label: t('inbox.sent'),
            cell: (waiting) => <Excerpt waiting={waiting} />,
          },
          {
            key: 'application',
            label: t('fields.application'),
            width: '15%',
            cell: (waiting) => placeName(waiting.applicationId),
          },
          {
            key: 'count',
            label: t('places.messages'),
            width: '100px',
            numeric: true,
            cell: (waiting) => format.number(waiting.messageCount ?? 0),
          },
          {
            key: 'last',
            label: t('list.last'),
            width: '120px',
            cell: (waiting) => <Time at={waiting.lastSeenAt} />,
          },
          {
            key: 'first',
            label: t('inbox.firstSeen'),
            width: '120px',
            extra: true,
            cell: (waiting) => <Time at={waiting.firstSeenAt} />,
          },
          {
            key: 'act',
            label: t('inbox.what'),
            width: '210px',
            cell: (waiting) => (
              <Group gap={6} wrap="nowrap">
                <Button
                  size="compact-sm"
                  variant="light"
                  leftSection={<IconCheck size={14} />}
                  loading={take.isPending && take.variables?.[0]?.id === waiting.id}
                  onClick={() => take.mutate([waiting])}
                >
                  {t('inbox.adopt')}
                </Button>
                <Button
                  size="compact-sm"
                  variant="subtle"
                  color="gray"
                  onClick={() => setDiscarded([waiting])}
                >
                  {t('inbox.discard')}
                </Button>
              </Group>
            ),
          },
        ]}
        empty={
          <Empty icon={IconInbox} title={t('inbox.emptyTitle')} action={makeKey}>
            {t('inbox.empty')}
          </Empty>
        }
      />
      <Drawer
        opened={one !== undefined}
        onClose={() => setLooked(null)}
        position="right"
        size={560}
        title={one?.sender}
        overlayProps={{ opacity: 0.15 }}
        transitionProps={{ duration: 120 }}
      >
        {one && (
          <WaitingView
            key={one.id}
            waiting={one}
            application={placeName(one.applicationId)}
            onDiscard={() => setDiscarded([one])}
          />
        )}
      </Drawer>
      {discarded && (
        <Confirm
          title={t('inbox.discard')}
          action={t('inbox.discard')}
          act={() => Promise.all(discarded.map((waiting) => dismiss(waiting.id)))}
          onClose={() => setDiscarded(null)}
          onDone={() => {
            setLooked(null)
            refresh()
          }}
        >
          {t('inbox.discardAsk', { count: discarded.length, name: discarded[0]?.sender })}
        </Confirm>
      )}
      {address.key && (
        <InboxKey
          application={address.applicationId}
          onClose={() => setAddress({ ...address, key: undefined })}
        />
      )}
    </Page>
  )
}

/** What a sender said last, as far as it could be read. */
function Excerpt({ waiting }: { waiting: Waiting }) {
  const { t } = useTranslation()
  const value = useValueText()
  const values = Object.entries(waiting.values)
  const last = waiting.lastMessage
  if (values.length > 0) {
    return values.map(([series, v]) => `${series} ${value(v as Value)}`).join(' · ')
  }
  if (!last) return <Text c="dimmed">{t('inbox.nothingSent')}</Text>
  return (
    <Text span ff="monospace" fz="sm">
      {last.text ?? last.hex}
    </Text>
  )
}
