import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import type { Task } from '@/api/types'

export const listTasks = (subjectId: string | undefined, after?: string) =>
  ok(api.GET('/api/v1/tasks', { params: { query: { subjectId, after } } }))

/** Whether a task goes on. */
export const isOpen = (task: Pick<Task, 'state'>) => task.state === 'waiting' || task.state === 'running'

/** A task, read again until it ends. */
export const taskQuery = (id: string) =>
  queryOptions({
    queryKey: ['tasks', 'one', id],
    queryFn: () => ok(api.GET('/api/v1/tasks/{task_id}', { params: { path: { task_id: id } } })),
    refetchInterval: (query) => (query.state.data && !isOpen(query.state.data) ? false : 500),
  })

/** The rows that could not be done, the first of them. */
export const failedRowsQuery = (id: string) =>
  queryOptions({
    queryKey: ['tasks', 'rows', id],
    queryFn: () =>
      ok(
        api.GET('/api/v1/tasks/{task_id}/rows', {
          params: { path: { task_id: id }, query: { failed: true, limit: 100 } },
        }),
      ),
  })

export const cancelTask = (id: string) =>
  ok(api.POST('/api/v1/tasks/{task_id}/cancel', { params: { path: { task_id: id } } }))

// --- Re-decoding ---

export const askReDecode = (decoderId: string, from: string, to: string, applicationId: string | null) =>
  ok(
    api.POST('/api/v1/decoders/{decoder_id}/re-decode', {
      params: { path: { decoder_id: decoderId } },
      body: { from, to, ...(applicationId && { applicationId }) },
    }),
  )

export const applyReDecode = (taskId: string) =>
  ok(api.POST('/api/v1/re-decodes/{task_id}/apply', { params: { path: { task_id: taskId } } }))

export const discardReDecode = (taskId: string) =>
  ok(api.POST('/api/v1/re-decodes/{task_id}/discard', { params: { path: { task_id: taskId } } }))
