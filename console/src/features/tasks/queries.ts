import { api, ok } from '@/api/client'

export const listTasks = (subjectId: string | undefined, after?: string) =>
  ok(api.GET('/api/v1/tasks', { params: { query: { subjectId, after } } }))

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
