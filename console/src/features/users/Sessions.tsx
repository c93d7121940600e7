import { Button, Group, Skeleton, Table, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { OpenSession } from '@/api/types'
import { Failure, useFailureText } from '@/parts/Failure'
import { failed, told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { endOtherSessions, endSession, endSessionOf, sessionsOfQuery, sessionsQuery } from './queries'

/** Where one is signed in oneself. */
export function MySessions() {
  const { t } = useTranslation()
  const found = useQuery(sessionsQuery)
  const end = useEnding((id: string) => endSession(id), t('settings.sessionEnded'))
  const others = useEnding(() => endOtherSessions(), t('settings.othersEnded'))
  const several = (found.data?.length ?? 0) > 1
  return (
    <Panel
      title={t('settings.sessions')}
      action={
        several && (
          <Button
            size="compact-sm"
            variant="default"
            loading={others.isPending}
            onClick={() => others.mutate('')}
          >
            {t('settings.endOthers')}
          </Button>
        )
      }
    >
      <List found={found.data} failure={found.error} onEnd={(id) => end.mutate(id)} />
    </Panel>
  )
}

/** Where a person is signed in, for who manages users. */
export function SessionsOf({ userId }: { userId: string }) {
  const { t } = useTranslation()
  const found = useQuery(sessionsOfQuery(userId))
  const end = useEnding((id: string) => endSessionOf(userId, id), t('settings.sessionEnded'))
  if (found.data?.length === 0) return null
  return (
    <div>
      <Text fw={550} mb={4}>
        {t('users.sessions')}
      </Text>
      <List found={found.data} failure={found.error} onEnd={(id) => end.mutate(id)} />
    </div>
  )
}

function useEnding(act: (id: string) => Promise<unknown>, said: string) {
  const client = useQueryClient()
  const text = useFailureText()
  return useMutation({
    mutationFn: act,
    onSuccess: () => told(said),
    onError: (failure) => failed(text(failure)),
    onSettled: () => void client.invalidateQueries({ queryKey: ['sessions'] }),
  })
}

interface ListProps {
  found: OpenSession[] | undefined
  failure: unknown
  onEnd: (id: string) => void
}

function List({ found, failure, onEnd }: ListProps) {
  const { t } = useTranslation()
  if (failure) return <Failure of={failure} />
  if (!found) return <Skeleton height={120} />
  return (
    <Table>
      <Table.Tbody>
        {found.map((session) => (
          <Table.Tr key={session.id}>
            <Table.Td>
              <Text>{agentName(session.agent) ?? t('settings.unknownAgent')}</Text>
              <Group gap={4} fz="sm" c="dimmed">
                {session.origin && <span>{session.origin} ·</span>}
                {session.current ? t('settings.here') : <Time at={session.seenAt} span fz="sm" c="dimmed" />}
                {session.proven && <span>· {t('settings.proven')}</span>}
              </Group>
            </Table.Td>
            <Table.Td w={100} ta="right">
              {!session.current && (
                <Button size="compact-sm" variant="default" onClick={() => onEnd(session.id)}>
                  {t('settings.end')}
                </Button>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

/** Name the browser or program that a user agent stands for. */
export function agentName(agent: string | null): string | null {
  if (!agent) return null
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\/([\d]+)/.exec(agent)
  const system = /(Windows|Macintosh|Android|iPhone|iPad|Linux)/.exec(agent)?.[1]
  const name = { Edg: 'Edge', OPR: 'Opera' }[browser?.[1] ?? ''] ?? browser?.[1]
  if (!name) return agent.slice(0, 60)
  return [`${name} ${browser?.[2] ?? ''}`.trim(), system === 'Macintosh' ? 'macOS' : system]
    .filter(Boolean)
    .join(', ')
}
