import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { DecoderBody, DecoderPatch, Suggestion, TestCase, TrialBody } from '@/api/types'

export const listDecoders = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/decoders', { params: { query: { ...filter, after, total: true } } }))

/** The decoders in reach, for choosing one. */
export const decodersQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['decoders', 'all', organizationId],
    queryFn: () => ok(api.GET('/api/v1/decoders', { params: { query: { organizationId, limit: 500 } } })),
    staleTime: 30_000,
  })

/** Those of an organization, and those that others share with it, by name. */
export const usableDecodersQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ['decoders', 'usable', organizationId],
    queryFn: async () => {
      const lists = await Promise.all(
        [{ organizationId }, { shared: true }].map((query) =>
          ok(api.GET('/api/v1/decoders', { params: { query: { ...query, limit: 500 } } })),
        ),
      )
      const found = new Map(lists.flatMap((list) => list.items).map((one) => [one.id, one]))
      return [...found.values()].toSorted((a, b) => a.name.localeCompare(b.name))
    },
    staleTime: 30_000,
  })

export const decoderKindsQuery = queryOptions({
  queryKey: ['decoders', 'kinds'],
  queryFn: () => ok(api.GET('/api/v1/decoders/kinds')),
  staleTime: 600_000,
})

const at = (id: string) => ({ params: { path: { decoder_id: id } } })

export const decoderQuery = (id: string) =>
  queryOptions({
    queryKey: ['decoders', id],
    queryFn: () => tagged(api.GET('/api/v1/decoders/{decoder_id}', at(id))),
  })

export const makeDecoder = (body: DecoderBody, force: boolean) =>
  ok(api.POST('/api/v1/decoders', { params: { query: { force } }, body }))

export const changeDecoder = (id: string, etag: string | null, body: DecoderPatch, force: boolean) =>
  ok(
    api.PATCH('/api/v1/decoders/{decoder_id}', {
      params: { path: { decoder_id: id }, query: { force } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const removeDecoder = (id: string) => ok(api.DELETE('/api/v1/decoders/{decoder_id}', at(id)))

export const copyDecoder = (id: string, organizationId: string, name: string) =>
  ok(api.POST('/api/v1/decoders/{decoder_id}/copy', { ...at(id), body: { organizationId, name } }))

export const listVersions = (id: string, after?: string) =>
  ok(
    api.GET('/api/v1/decoders/{decoder_id}/versions', {
      params: { path: { decoder_id: id }, query: { after } },
    }),
  )

export const versionQuery = (id: string, n: number) =>
  queryOptions({
    queryKey: ['decoders', id, 'versions', n],
    queryFn: () =>
      ok(api.GET('/api/v1/decoders/{decoder_id}/versions/{n}', { params: { path: { decoder_id: id, n } } })),
  })

export const restoreVersion = (id: string, version: number) =>
  ok(api.POST('/api/v1/decoders/{decoder_id}/restore', { ...at(id), body: { version } }))

export const testCasesQuery = (id: string) =>
  queryOptions({
    queryKey: ['decoders', id, 'test-cases'],
    queryFn: () => ok(api.GET('/api/v1/decoders/{decoder_id}/test-cases', at(id))),
  })

export const keepTestCases = (id: string, cases: TestCase[]) =>
  ok(api.PUT('/api/v1/decoders/{decoder_id}/test-cases', { ...at(id), body: cases }))

export const runTestCases = (id: string) => ok(api.POST('/api/v1/decoders/{decoder_id}/test', at(id)))

export const tryDecoder = (body: TrialBody) => ok(api.POST('/api/v1/decoders/try', { body }))

/** The decoders that make sense of a message's bytes, best first. */
export const suggestQuery = (message: TrialBody['messages'][number] | undefined) =>
  queryOptions({
    queryKey: ['decoders', 'suggest', message?.payload, message?.port],
    queryFn: () =>
      ok(
        api.POST('/api/v1/decoders/suggest', {
          body: { payload: message?.payload ?? '', encoding: message?.encoding, port: message?.port },
        }),
      ),
    enabled: message !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })

/** Give the id of a suggested decoder; a kind that needs no script becomes one where there is none yet. */
export async function decoderOf(one: Suggestion, name: string, organizationId: string): Promise<string> {
  if (one.decoderId) return one.decoderId
  const query = { organizationId, kind: one.kind, limit: 1 }
  const known = await ok(api.GET('/api/v1/decoders', { params: { query } }))
  return (known.items[0] ?? (await makeDecoder({ organizationId, name, kind: one.kind }, false))).id
}

export const listProblems = (id: string, after?: string) =>
  ok(
    api.GET('/api/v1/decoders/{decoder_id}/problems', {
      params: { path: { decoder_id: id }, query: { after } },
    }),
  )

export const findDecoders = (q: string, organizationId?: string) =>
  ok(api.GET('/api/v1/decoders', { params: { query: { q, organizationId, limit: 6 } } }))
