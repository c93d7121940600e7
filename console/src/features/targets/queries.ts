import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { ListPage } from '@/api/pages'
import type { Receipt, RouteBody, RoutePatch, TargetBody, TargetPatch } from '@/api/types'

export const listTargets = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/targets', { params: { query: { ...filter, after } } }))

export const targetsQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['targets', 'all', organizationId],
    queryFn: () => ok(api.GET('/api/v1/targets', { params: { query: { organizationId, limit: 500 } } })),
    refetchInterval: 15_000,
  })

export const targetKindsQuery = queryOptions({
  queryKey: ['target-kinds'],
  queryFn: () => ok(api.GET('/api/v1/target-kinds')),
  staleTime: 600_000,
})

const at = (id: string) => ({ params: { path: { target_id: id } } })
const listAt = (id: string, after?: string) => ({ params: { path: { target_id: id }, query: { after } } })

export const targetQuery = (id: string) =>
  queryOptions({
    queryKey: ['targets', id],
    queryFn: () => tagged(api.GET('/api/v1/targets/{target_id}', at(id))),
    refetchInterval: 5_000,
  })

export const makeTarget = (body: TargetBody) => ok(api.POST('/api/v1/targets', { body }))

export const changeTarget = (id: string, etag: string | null, body: TargetPatch) =>
  ok(api.PATCH('/api/v1/targets/{target_id}', { ...at(id), headers: ifMatch(etag), body }))

export const removeTarget = (id: string) => ok(api.DELETE('/api/v1/targets/{target_id}', at(id)))

export const pingTarget = (id: string) => ok(api.POST('/api/v1/targets/{target_id}/ping', at(id)))

export const testTarget = (
  id: string,
  body: { deviceId?: string; routeId?: string | null; document?: Record<string, unknown> },
) => ok(api.POST('/api/v1/targets/{target_id}/test', { ...at(id), body }))

export const pauseTarget = (id: string) => ok(api.POST('/api/v1/targets/{target_id}/pause', at(id)))

export const resumeTarget = (id: string) => ok(api.POST('/api/v1/targets/{target_id}/resume', at(id)))

export const listTargetLog = (id: string, failures: boolean, after?: string) =>
  ok(
    api.GET('/api/v1/targets/{target_id}/log', {
      params: { path: { target_id: id }, query: { failures, after } },
    }),
  )

export const statementQuery = (id: string, month: string) =>
  queryOptions({
    queryKey: ['targets', id, 'statement', month],
    queryFn: () =>
      ok(
        api.GET('/api/v1/targets/{target_id}/statement', {
          params: { path: { target_id: id }, query: { month } },
        }),
      ),
  })

// --- Receipts ---

export interface ReceiptFilter {
  deviceId?: string
  outcome?: Receipt['outcome']
  from?: string
  to?: string
}

export const listReceipts = async (id: string, filter: ReceiptFilter, after?: string) =>
  (await ok(
    api.GET('/api/v1/targets/{target_id}/receipts', {
      params: { path: { target_id: id }, query: { ...filter, after } },
    }),
  )) as ListPage<Receipt>

/** What became of a message at each target. */
export const deliveriesQuery = (deviceId: string, position: string) =>
  queryOptions({
    queryKey: ['messages', deviceId, position, 'deliveries'],
    queryFn: () =>
      ok(
        api.GET('/api/v1/devices/{device_id}/messages/{position}/deliveries', {
          params: { path: { device_id: deviceId, position } },
        }),
      ),
    refetchInterval: 5_000,
  })

// --- Dead letters ---

export const listDeadLetters = (id: string, after?: string) =>
  ok(api.GET('/api/v1/targets/{target_id}/dead-letters', listAt(id, after)))

const letter = (targetId: string, letterId: string) => ({
  params: { path: { target_id: targetId, letter_id: letterId } },
})

export const editDeadLetter = (targetId: string, letterId: string, document: unknown) =>
  ok(
    api.PATCH('/api/v1/targets/{target_id}/dead-letters/{letter_id}', {
      ...letter(targetId, letterId),
      body: { document },
    }),
  )

export const discardDeadLetter = (targetId: string, letterId: string) =>
  ok(api.DELETE('/api/v1/targets/{target_id}/dead-letters/{letter_id}', letter(targetId, letterId)))

export const sendAgain = (targetId: string, letterId: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/dead-letters/{letter_id}/send-again', letter(targetId, letterId)))

export const sendAllAgain = (targetId: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/dead-letters/send-again', at(targetId)))

// --- Replays ---

export const listReplays = (id: string, after?: string) =>
  ok(api.GET('/api/v1/targets/{target_id}/replays', listAt(id, after)))

export const askReplay = (id: string, from: string, to: string) =>
  ok(api.POST('/api/v1/targets/{target_id}/replay', { ...at(id), body: { from, to } }))

export const cancelReplay = (id: string, replayId: string) =>
  ok(
    api.POST('/api/v1/targets/{target_id}/replays/{replay_id}/cancel', {
      params: { path: { target_id: id, replay_id: replayId } },
    }),
  )

// --- Routes ---

export const listRoutes = (targetId: string, after?: string) =>
  ok(api.GET('/api/v1/routes', { params: { query: { targetId, after } } }))

export const makeRoute = (body: RouteBody) => ok(api.POST('/api/v1/routes', { body }))

export const changeRoute = (id: string, body: RoutePatch) =>
  ok(api.PATCH('/api/v1/routes/{route_id}', { params: { path: { route_id: id } }, body }))

export const removeRoute = (id: string) =>
  ok(api.DELETE('/api/v1/routes/{route_id}', { params: { path: { route_id: id } } }))

export const findTargets = (q: string, organizationId?: string) =>
  ok(api.GET('/api/v1/targets', { params: { query: { q, organizationId, limit: 6 } } }))
