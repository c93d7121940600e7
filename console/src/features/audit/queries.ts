import { api, ok } from '@/api/client'
import type { ListPage } from '@/api/pages'
import type { Fact } from '@/api/types'

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
