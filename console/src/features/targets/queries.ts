import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { RouteBody, RoutePatch, TargetBody, TargetPatch } from '@/api/types'

export const listTargets = (filter: { organizationId?: string; applicationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/targets', { params: { query: { ...filter, after } } }))

export const targetsQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['targets', 'all', organizationId],
    queryFn: () => ok(api.GET('/api/v1/targets', { params: { query: { organizationId, limit: 500 } } })),
    refetchInterval: 15_000,
  })

export const targetQuery = (id: string) =>
  queryOptions({
    queryKey: ['targets', id],
    queryFn: () => tagged(api.GET('/api/v1/targets/{target_id}', { params: { path: { target_id: id } } })),
    refetchInterval: 5_000,
  })

export const makeTarget = (body: TargetBody) => ok(api.POST('/api/v1/targets', { body }))

export const changeTarget = (id: string, etag: string | null, body: TargetPatch) =>
  ok(
    api.PATCH('/api/v1/targets/{target_id}', {
      params: { path: { target_id: id } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const removeTarget = (id: string) =>
  ok(api.DELETE('/api/v1/targets/{target_id}', { params: { path: { target_id: id } } }))

export const pingTarget = (id: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/ping', { params: { path: { target_id: id } } }))

export const testTarget = (id: string, deviceId: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/test', { params: { path: { target_id: id } }, body: { deviceId } }))

export const pauseTarget = (id: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/pause', { params: { path: { target_id: id } } }))

export const resumeTarget = (id: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/resume', { params: { path: { target_id: id } } }))

export const listTargetLog = (id: string, after?: string) =>
  ok(api.GET('/api/v1/targets/{target_id}/log', { params: { path: { target_id: id }, query: { after } } }))

export const statementQuery = (id: string, month: string) =>
  queryOptions({
    queryKey: ['targets', id, 'statement', month],
    queryFn: () =>
      ok(
        api.GET('/api/v1/targets/{target_id}/statement', { params: { path: { target_id: id }, query: { month } } }),
      ),
  })

// --- Dead letters ---

export const listDeadLetters = (id: string, after?: string) =>
  ok(api.GET('/api/v1/targets/{target_id}/dead-letters', { params: { path: { target_id: id }, query: { after } } }))

const letter = (targetId: string, letterId: string) => ({
  params: { path: { target_id: targetId, letter_id: letterId } },
})

export const editDeadLetter = (targetId: string, letterId: string, document: unknown) =>
  ok(
    api.PATCH('/api/v1/targets/{target_id}/dead-letters/{letter_id}', {
      ...letter(targetId, letterId),
      body: { document } as never,
    }),
  )

export const discardDeadLetter = (targetId: string, letterId: string) =>
  ok(api.DELETE('/api/v1/targets/{target_id}/dead-letters/{letter_id}', letter(targetId, letterId)))

export const sendAgain = (targetId: string, letterId: string) =>
  ok(
    api.POST('/api/v1/targets/{target_id}/dead-letters/{letter_id}/send-again', letter(targetId, letterId)),
  )

// --- Routes ---

export const listRoutes = (targetId: string, after?: string) =>
  ok(api.GET('/api/v1/routes', { params: { query: { targetId, after } } }))

export const makeRoute = (body: RouteBody) => ok(api.POST('/api/v1/routes', { body }))

export const changeRoute = (id: string, body: RoutePatch) =>
  ok(api.PATCH('/api/v1/routes/{route_id}', { params: { path: { route_id: id } }, body }))

export const removeRoute = (id: string) =>
  ok(api.DELETE('/api/v1/routes/{route_id}', { params: { path: { route_id: id } } }))
