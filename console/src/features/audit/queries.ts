import { api, ok } from '@/api/client'

export interface AuditFilter {
  organizationId?: string
  subjectId?: string
  name?: string
}

export const listFacts = (filter: AuditFilter, after?: string) =>
  ok(api.GET('/api/v1/audit', { params: { query: { ...filter, after } } }))

export const listSystemLog = (level: string | undefined, after?: string) =>
  ok(api.GET('/api/v1/system-log', { params: { query: { level, after } } }))
