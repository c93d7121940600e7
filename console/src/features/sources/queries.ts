import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { SourceBody, SourcePatch } from '@/api/types'

export const listSources = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/sources', { params: { query: { ...filter, after } } }))

const at = (id: string) => ({ params: { path: { source_id: id } } })

export const sourceQuery = (id: string) =>
  queryOptions({
    queryKey: ['sources', id],
    queryFn: () => tagged(api.GET('/api/v1/sources/{source_id}', at(id))),
    refetchInterval: 3_000,
  })

export const makeSource = (body: SourceBody) => ok(api.POST('/api/v1/sources', { body }))

export const changeSource = (id: string, etag: string | null, body: SourcePatch) =>
  ok(api.PATCH('/api/v1/sources/{source_id}', { ...at(id), headers: ifMatch(etag), body }))

export const removeSource = (id: string) => ok(api.DELETE('/api/v1/sources/{source_id}', at(id)))

export const pauseSource = (id: string) => ok(api.POST('/api/v1/sources/{source_id}/pause', at(id)))

export const resumeSource = (id: string) => ok(api.POST('/api/v1/sources/{source_id}/resume', at(id)))

export const testNewSource = (body: SourceBody) => ok(api.POST('/api/v1/sources/test', { body }))

export const testSource = (id: string, body: SourcePatch) =>
  ok(api.POST('/api/v1/sources/{source_id}/test', { ...at(id), body }))

export const listSourceLog = (id: string, refused: boolean, after?: string) =>
  ok(
    api.GET('/api/v1/sources/{source_id}/log', {
      params: { path: { source_id: id }, query: { refused, after } },
    }),
  )

export const findSources = (q: string, organizationId?: string) =>
  ok(api.GET('/api/v1/sources', { params: { query: { q, organizationId, limit: 6 } } }))
