import { Button, Drawer, Group, Stack, Text } from '@mantine/core'
import { IconActivity } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Task } from '@/api/types'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { failed } from '@/parts/notify'
import { Facts } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { RowOutcome, TaskProgress, useTaskProblem } from './Outcome'
import { applyReDecode, cancelTask, discardReDecode, isOpen, listTasks } from './queries'
import { TONES } from './words'

const COUNTS = ['messages', 'added', 'changed', 'removed'] as const

/** Long work and how far it is; of one subject where one is given. */
export function TaskList({ subjectId }: { subjectId?: string }) {
  const { t, i18n } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const text = useFailureText()
  const problem = useTaskProblem()
  const [looked, setLooked] = useState<string | null>(null)
  const list = usePages(['tasks', subjectId], (after) => listTasks(subjectId, after), {
    refetchInterval: 2_000,
  })
  const act = useMutation({
    mutationFn: (work: () => Promise<unknown>) => work(),
    onError: (failure) => failed(text(failure)),
    onSettled: () => void client.invalidateQueries({ queryKey: ['tasks'] }),
  })
  const kind = (task: Task) =>
    i18n.exists(`taskKind.${task.kind}`) ? String(t(`taskKind.${task.kind}` as never)) : task.kind
  const ready = (task: Task) => task.result?.outcome === 'ready'
  const task = list.items.find((one) => one.id === looked)
  return (
    <>
      <DataList
        name="tasks"
        label={t('places.tasks')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => setLooked(one.id)}
        columns={[
          { key: 'kind', label: t('tasks.kind'), cell: kind },
          {
            key: 'state',
            label: t('fields.state'),
            width: '170px',
            cell: (one) => (
              <Status tone={ready(one) ? 'warning' : TONES[one.state]}>
                {ready(one) ? t('taskState.ready') : t(`taskState.${one.state}`)}
              </Status>
            ),
          },
          {
            key: 'progress',
            label: t('tasks.progress'),
            cell: (one) => <TaskProgress task={one} />,
          },
          {
            key: 'createdAt',
            label: t('operations.asked'),
            width: '140px',
            cell: (one) => <Time at={one.createdAt} />,
          },
          {
            key: 'act',
            label: '',
            width: '120px',
            cell: (one) =>
              isOpen(one) && (
                <Button
                  size="compact-sm"
                  variant="default"
                  onClick={() => act.mutate(() => cancelTask(one.id))}
                >
                  {t('common.cancel')}
                </Button>
              ),
          },
        ]}
        empty={
          <Empty icon={IconActivity} title={t('tasks.emptyTitle')}>
            {t('tasks.empty')}
          </Empty>
        }
      />
      <Drawer
        opened={task !== undefined}
        onClose={() => setLooked(null)}
        position="right"
        size={560}
        title={task && kind(task)}
        transitionProps={{ duration: 120 }}
      >
        {task && (
          <Stack>
            <Status tone={TONES[task.state]}>{t(`taskState.${task.state}`)}</Status>
            {task.problem && <Text>{problem(task)}</Text>}
            {task.kind !== 'reDecode' && <RowOutcome task={task} />}
            <Facts
              rows={(task.kind === 'reDecode' ? COUNTS : [])
                .filter((name) => typeof task.result?.[name] === 'number')
                .map((name) => [t(`tasks.counts.${name}`), format.number(task.result?.[name] as number)])}
            />
            {ready(task) && (
              <>
                <Text>{t('tasks.readyHelp')}</Text>
                <Group>
                  <Button loading={act.isPending} onClick={() => act.mutate(() => applyReDecode(task.id))}>
                    {t('tasks.apply')}
                  </Button>
                  <Button variant="default" onClick={() => act.mutate(() => discardReDecode(task.id))}>
                    {t('deadLetters.discard')}
                  </Button>
                </Group>
              </>
            )}
            {task.result?.sample !== undefined && (
              <CodeBlock code={JSON.stringify(task.result.sample, null, 2)} label={t('tasks.sample')} />
            )}
          </Stack>
        )}
      </Drawer>
    </>
  )
}
