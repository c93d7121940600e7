import { Button, Skeleton, Stack, Text } from '@mantine/core'
import { IconHistory } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Device } from '@/api/types'
import { Difference } from '@/features/audit/Difference'
import { listFacts } from '@/features/audit/queries'
import classes from '@/features/audit/Timeline.module.css'
import { useFactName } from '@/features/audit/words'
import { useSession } from '@/features/auth/session'
import { listNotices } from '@/features/notifications/queries'
import { NOTICE_TONE, useNoticeText } from '@/features/notifications/words'
import { listOperationsOf } from '@/features/operations/queries'
import { OPERATION_TONE } from '@/features/operations/words'
import { Empty } from '@/parts/Empty'
import { Failure } from '@/parts/Failure'
import { Panel } from '@/parts/Panel'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { presenceQuery, statesQuery } from './queries'
import { type Happening, oneStream, wholeSince } from './timeline'
import { STATE_TONE, useCause } from './words'

/** Everything that happened to a device, whoever did it, newest first. */
export function Timeline({ device }: { device: Device }) {
  const { t } = useTranslation()
  const { can } = useSession()
  const { id } = device
  const states = useQuery(statesQuery(id))
  const presence = useQuery(presenceQuery(id))
  const notices = usePages(['notices', 'past', id], (after) => listNotices({ subjectId: id }, after))
  const operations = usePages(['operations', 'past', id], (after) => listOperationsOf(id, after))
  const facts = usePages(['audit', 'of', id], (after) => listFacts({ subjectId: id }, after), {
    enabled: can('audit:read', device.organizationId),
  })
  const failure = states.error ?? presence.error ?? notices.error ?? operations.error ?? facts.error
  const again = () => {
    void states.refetch()
    void presence.refetch()
    for (const list of [notices, operations, facts]) list.again()
  }
  if (failure) return <Failure of={failure} retry={again} />
  const pending = [notices, operations, facts].some((list) => list.isPending)
  if (!states.data || !presence.data || pending) return <Skeleton height={240} />
  const lists = [
    { ...notices, oldest: notices.items.at(-1)?.openedAt },
    { ...operations, oldest: operations.items.at(-1)?.createdAt },
    { ...facts, oldest: facts.items.at(-1)?.at },
  ]
  const since = wholeSince(
    lists.map(({ oldest, more, isGrowing }) => ({ oldest, more: !!more || isGrowing })),
  )
  const stream = oneStream(
    {
      states: states.data,
      connections: presence.data.connections,
      notices: notices.items,
      operations: operations.items,
      facts: facts.items,
    },
    since,
  )
  if (stream.length === 0) {
    return (
      <Panel>
        <Empty icon={IconHistory} title={t('timeline.emptyTitle')}>
          {t('timeline.empty')}
        </Empty>
      </Panel>
    )
  }
  return (
    <Panel>
      <ol className={classes.line}>
        {stream.map((one) => (
          <li key={`${one.what}/${one.id}`}>
            <Line of={one} />
          </li>
        ))}
      </ol>
      {since && (
        <Button
          variant="default"
          // The list that ends latest is what hides the rest.
          onClick={() => lists.find((list) => list.oldest === since)?.more?.()}
          loading={lists.some((list) => list.isGrowing)}
        >
          {t('list.more')}
        </Button>
      )}
    </Panel>
  )
}

function Line({ of: one }: { of: Happening }) {
  const { t } = useTranslation()
  const { me } = useSession()
  const factName = useFactName()
  const say = useNoticeText()
  const cause = useCause()
  const mine = (id: string) => (id === me.id ? t('timeline.byYou') : null)
  switch (one.what) {
    case 'fact':
      return (
        <Entry
          at={one.at}
          title={<b>{factName(one.of.name)}</b>}
          beside={t('audit.by', { name: one.of.callerLabel })}
        >
          <Difference before={one.of.before} after={one.of.after} />
          {one.reason && <Reason>{one.reason}</Reason>}
        </Entry>
      )
    case 'state':
      return (
        <Entry
          at={one.at}
          title={<Told tone={STATE_TONE[one.of.state]}>{t(`deviceState.${one.of.state}`)}</Told>}
          beside={mine(one.of.by)}
        >
          {one.of.reason && <Reason>{one.of.reason}</Reason>}
        </Entry>
      )
    case 'connected':
    case 'disconnected': {
      const came = one.what === 'connected'
      return (
        <Entry
          at={one.at}
          title={<Told tone={came ? 'good' : 'quiet'}>{t(`timeline.${one.what}`)}</Told>}
          beside={[
            `${one.of.protocol.toUpperCase()} ${one.of.version}`,
            came ? one.of.address : one.of.cause && cause(one.of.cause),
          ]
            .filter(Boolean)
            .join(' · ')}
        />
      )
    }
    case 'noticeOpened':
    case 'noticeTaken':
    case 'noticeCleared':
      return (
        <Entry
          at={one.at}
          title={<Told tone={NOTICE_TONES[one.what]}>{say(one.of)}</Told>}
          beside={t(`timeline.${one.what}`)}
        />
      )
    case 'commandAsked':
      return (
        <Entry
          at={one.at}
          title={<Told tone="info">{t('timeline.commandAsked', { code: one.of.code })}</Told>}
          beside={mine(one.of.createdBy)}
        />
      )
    case 'commandEnded':
      return (
        <Entry
          at={one.at}
          title={
            <Told tone={OPERATION_TONE[one.of.state]}>
              {t('timeline.commandEnded', {
                code: one.of.code,
                state: t(`operationState.${one.of.state}`),
              })}
            </Told>
          }
        >
          {one.of.problem && <Reason>{one.of.problem}</Reason>}
        </Entry>
      )
  }
}

const NOTICE_TONES = { noticeOpened: NOTICE_TONE, noticeTaken: 'info', noticeCleared: 'good' } as const

function Told({ tone, children }: { tone: Tone; children: string }) {
  return (
    <b>
      <Status tone={tone}>{children}</Status>
    </b>
  )
}

function Reason({ children }: { children: string }) {
  return (
    <Text fz="sm" style={{ overflowWrap: 'anywhere' }}>
      {children}
    </Text>
  )
}

interface EntryProps {
  at: string
  title: ReactNode
  beside?: string | null
  children?: ReactNode
}

function Entry({ at, title, beside, children }: EntryProps) {
  return (
    <Stack gap={4}>
      <Text component="div">
        {title}{' '}
        <Text span c="dimmed">
          {beside && `${beside} · `}
          <Time at={at} span c="dimmed" />
        </Text>
      </Text>
      {children}
    </Stack>
  )
}
