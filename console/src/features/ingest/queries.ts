import { api, ok } from '@/api/client'

export const listRefusals = (filter: { since?: string; deviceId?: string }, after?: string) =>
  ok(api.GET('/api/v1/refusals', { params: { query: { ...filter, after } } }))
