import { queryOptions, useQuery } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { PlanBody, PlanPatch, PlanSubscriptionBody } from '@/api/types'
import { listClients } from '@/features/oauth/queries'
import { organizationsQuery } from '@/features/organizations/queries'
import { apiKeysQuery, usersQuery } from '@/features/users/queries'
import type { Document } from './document'

// --- The store ---

export const apisQuery = (q?: string) =>
  queryOptions({
    queryKey: ['apis', q ?? ''],
    queryFn: () => ok(api.GET('/api/v1/apis', { params: { query: { q } } })),
    placeholderData: (before) => before,
    staleTime: Number.POSITIVE_INFINITY,
  })

const at = (id: string) => ({ params: { path: { api_id: id } } })

export const apiQuery = (id: string) =>
  queryOptions({
    queryKey: ['apis', 'one', id],
    queryFn: () => ok(api.GET('/api/v1/apis/{api_id}', at(id))),
    staleTime: Number.POSITIVE_INFINITY,
  })

export const documentQuery = (id: string) =>
  queryOptions({
    queryKey: ['apis', 'document', id],
    queryFn: async () =>
      (await ok(api.GET('/api/v1/apis/{api_id}/openapi.json', at(id)))) as unknown as Document,
    staleTime: Number.POSITIVE_INFINITY,
  })

// --- Plans ---

export const listPlans = (filter: { organizationId?: string; q?: string }, after?: string) =>
  ok(api.GET('/api/v1/plans', { params: { query: { ...filter, after } } }))

/** The plans in reach, for choosing one. */
export const plansQuery = queryOptions({
  queryKey: ['plans', 'all'],
  queryFn: () => ok(api.GET('/api/v1/plans', { params: { query: { limit: 500 } } })),
})

const ofPlan = (id: string) => ({ path: { plan_id: id } })

export const readPlan = (id: string) => tagged(api.GET('/api/v1/plans/{plan_id}', { params: ofPlan(id) }))

export const makePlan = (body: PlanBody) => ok(api.POST('/api/v1/plans', { body }))

export const changePlan = (id: string, etag: string | null, body: PlanPatch) =>
  ok(api.PATCH('/api/v1/plans/{plan_id}', { params: ofPlan(id), headers: ifMatch(etag), body }))

export const removePlan = (id: string) => ok(api.DELETE('/api/v1/plans/{plan_id}', { params: ofPlan(id) }))

export const listSubscriptions = (filter: { organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/subscriptions', { params: { query: { ...filter, after } } }))

const of = (id: string) => ({ params: { path: { subscription_id: id } } })

export const subscribe = (body: PlanSubscriptionBody) => ok(api.POST('/api/v1/subscriptions', { body }))

export const approveSubscription = (id: string) =>
  ok(api.POST('/api/v1/subscriptions/{subscription_id}/approve', of(id)))

export const refuseSubscription = (id: string) =>
  ok(api.POST('/api/v1/subscriptions/{subscription_id}/refuse', of(id)))

export const endSubscription = (id: string) =>
  ok(api.DELETE('/api/v1/subscriptions/{subscription_id}', of(id)))

// --- Usage ---

export interface WantedUsage {
  organizationId?: string
  area?: string
  from?: string
}

export const totalsQuery = (wanted: WantedUsage) =>
  queryOptions({
    queryKey: ['usage', wanted],
    queryFn: () => ok(api.GET('/api/v1/usage/totals', { params: { query: { ...wanted, limit: 500 } } })),
    placeholderData: (before) => before,
    refetchInterval: 30_000,
  })

// --- Names ---

const clientsQuery = queryOptions({
  queryKey: ['oauth-clients', 'all'],
  queryFn: () => listClients({}),
  staleTime: 30_000,
})

/** Whoever can be on a plan, by id: those in reach, the first of each sort. */
export function useSubscribers() {
  const keys = useQuery(apiKeysQuery).data?.items ?? []
  const clients = useQuery(clientsQuery).data?.items ?? []
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const people = useQuery(usersQuery).data?.items ?? []
  const found = { apiKey: keys, client: clients, organization: organizations, user: people }
  const names = new Map(
    Object.values(found).flatMap((some: { id: string; name: string }[]) =>
      some.map((one) => [one.id, one.name] as const),
    ),
  )
  return { found, nameOf: (id: string) => names.get(id) }
}
