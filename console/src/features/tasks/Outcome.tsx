import { List, Progress, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import type { Task } from '@/api/types'
import { useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Facts } from '@/parts/Panel'
import { failedRowsQuery } from './queries'

const OUTCOMES = ['created', 'updated', 'unchanged', 'removed', 'failed'] as const

/** Give why a task failed, in the person's language. */
export function useTaskProblem() {
  const text = useFailureText()
  return (task: Task) =>
    task.problem && (task.code ? text(new Problem(409, task.code, task.problem)) : task.problem)
}

/** How far a task is. */
export function TaskProgress({ task }: { task: Task }) {
  const { t } = useTranslation()
  const format = useFormat()
  const problem = useTaskProblem()
  return (
    <>
      <Progress
        aria-label={t('tasks.progress')}
        value={task.state === 'completed' ? 100 : task.total ? (100 * task.done) / task.total : 0}
      />
      <Text fz="xs" c="dimmed">
        {problem(task) ??
          [task.done, task.total]
            .filter((n) => n !== null)
            .map((n) => format.number(n))
            .join(' / ')}
      </Text>
    </>
  )
}

/** What became of work that is done row by row: counts, and why rows could not be done. */
export function RowOutcome({ task }: { task: Task }) {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const result = task.result ?? {}
  const failed = typeof result.failed === 'number' ? result.failed : 0
  const rows = useQuery({ ...failedRowsQuery(task.id), enabled: failed > 0 }).data?.items ?? []
  return (
    <Stack>
      <Facts
        rows={OUTCOMES.filter((name) => typeof result[name] === 'number').map((name) => [
          t(`tasks.outcomes.${name}`),
          format.number(result[name] as number),
        ])}
      />
      {rows.length > 0 && (
        <List size="sm" spacing={4}>
          {rows.map((row) => (
            <List.Item key={row.n}>
              <Text span fw={500} fz="sm">
                {row.name ?? (task.kind === 'importDevices' ? `${t('import.line')} ${row.n}` : row.subjectId)}
              </Text>
              {': '}
              {[
                task.kind === 'importDevices' && row.problem?.field,
                row.problem && text(new Problem(409, row.problem.code, row.problem.detail)),
              ]
                .filter(Boolean)
                .join(': ')}
            </List.Item>
          ))}
        </List>
      )}
      {failed > rows.length && rows.length > 0 && (
        <Text fz="sm" c="dimmed">
          {t('tasks.rowsLeft', { count: failed - rows.length })}
        </Text>
      )}
    </Stack>
  )
}
