import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import type { ListPage } from '@/api/pages'
import type { Chain, Checkpoint, Collector, CollectorBody, CollectorPatch, Fact } from '@/api/types'

export type { Chain, Collector }

export interface AuditFilter {
  organizationId?: string
  subjectId?: string
  name?: string
}

export const listFacts = async (filter: AuditFilter, after?: string): Promise<ListPage<Fact>> =>
  (await ok(api.GET('/api/v1/audit', { params: { query: { ...filter, after } } }))) as ListPage<Fact>

export const LEVELS = ['warning', 'error', 'critical'] as const

export const listSystemLog = (filter: { level?: string; q?: string }, after?: string) =>
  ok(
    api.GET('/api/v1/system-log', {
      params: { query: { q: filter.q, level: LEVELS.find((level) => level === filter.level), after } },
    }),
  )

/** What the API calls the chain of what belongs to no organization, where it filters by one. */
export const INSTALLATION = '00000000-0000-0000-0000-000000000000'

export const chainsQuery = queryOptions({
  queryKey: ['audit', 'proof', 'chains'],
  queryFn: () => ok(api.GET('/api/v1/audit/chains', { params: { query: { limit: 500 } } })),
  refetchInterval: 10_000,
})

export const lastCheckpointQuery = (organizationId: string | null) =>
  queryOptions({
    queryKey: ['audit', 'proof', 'checkpoint', organizationId],
    queryFn: async () => {
      const query = { organizationId: organizationId ?? INSTALLATION, limit: 1 }
      const page = (await ok(
        api.GET('/api/v1/audit/checkpoints', { params: { query } }),
      )) as ListPage<Checkpoint>
      return page.items[0] ?? null
    },
  })

export const signChain = (organizationId: string | null) =>
  ok(api.POST('/api/v1/audit/checkpoints', { body: { organizationId } }))

export const CONTENTS = ['facts', 'systemLog', 'checkpoints'] as const

export const listCollectors = (after?: string) =>
  ok(api.GET('/api/v1/log-collectors', { params: { query: { after } } }))

const at = (id: string) => ({ params: { path: { collector_id: id } } })

export const makeCollector = (body: CollectorBody) => ok(api.POST('/api/v1/log-collectors', { body }))

export const changeCollector = (id: string, body: CollectorPatch) =>
  ok(api.PATCH('/api/v1/log-collectors/{collector_id}', { ...at(id), body }))

export const removeCollector = (id: string) => ok(api.DELETE('/api/v1/log-collectors/{collector_id}', at(id)))
