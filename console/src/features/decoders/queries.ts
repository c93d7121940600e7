import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { DecoderBody, DecoderPatch, TestCase, TrialBody } from '@/api/types'

export const listDecoders = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/decoders', { params: { query: { ...filter, after } } }))

/** The decoders in reach, for choosing one. */
export const decodersQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['decoders', 'all', organizationId],
    queryFn: () => ok(api.GET('/api/v1/decoders', { params: { query: { organizationId, limit: 500 } } })),
    staleTime: 30_000,
  })

export const decoderQuery = (id: string) =>
  queryOptions({
    queryKey: ['decoders', id],
    queryFn: () => tagged(api.GET('/api/v1/decoders/{decoder_id}', { params: { path: { decoder_id: id } } })),
  })

export const makeDecoder = (body: DecoderBody) => ok(api.POST('/api/v1/decoders', { body }))

export const changeDecoder = (id: string, etag: string | null, body: DecoderPatch) =>
  ok(
    api.PATCH('/api/v1/decoders/{decoder_id}', {
      params: { path: { decoder_id: id } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const removeDecoder = (id: string) =>
  ok(api.DELETE('/api/v1/decoders/{decoder_id}', { params: { path: { decoder_id: id } } }))

export const copyDecoder = (id: string, organizationId: string, name: string) =>
  ok(
    api.POST('/api/v1/decoders/{decoder_id}/copy', {
      params: { path: { decoder_id: id } },
      body: { organizationId, name },
    }),
  )

export const versionsQuery = (id: string) =>
  queryOptions({
    queryKey: ['decoders', id, 'versions'],
    queryFn: () => ok(api.GET('/api/v1/decoders/{decoder_id}/versions', { params: { path: { decoder_id: id } } })),
  })

export const testCasesQuery = (id: string) =>
  queryOptions({
    queryKey: ['decoders', id, 'test-cases'],
    queryFn: () => ok(api.GET('/api/v1/decoders/{decoder_id}/test-cases', { params: { path: { decoder_id: id } } })),
  })

export const keepTestCases = (id: string, cases: TestCase[]) =>
  ok(api.PUT('/api/v1/decoders/{decoder_id}/test-cases', { params: { path: { decoder_id: id } }, body: cases }))

export const runTestCases = (id: string) =>
  ok(api.POST('/api/v1/decoders/{decoder_id}/test', { params: { path: { decoder_id: id } } }))

export const tryDecoder = (body: TrialBody) => ok(api.POST('/api/v1/decoders/try', { body }))
