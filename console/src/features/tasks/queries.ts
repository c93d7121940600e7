import { api, ok } from '@/api/client'

export const listTasks = (after?: string) => ok(api.GET('/api/v1/tasks', { params: { query: { after } } }))

export const cancelTask = (id: string) =>
  ok(api.POST('/api/v1/tasks/{task_id}/cancel', { params: { path: { task_id: id } } }))
