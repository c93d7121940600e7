import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { IdentityProviderBody, IdentityProviderPatch } from '@/api/types'

export const listIdentityProviders = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/identity-providers', { params: { query: { ...filter, after } } }))

const at = (id: string) => ({ params: { path: { provider_id: id } } })

export const identityProviderQuery = (id: string) =>
  queryOptions({
    queryKey: ['identity-providers', id],
    queryFn: () => tagged(api.GET('/api/v1/identity-providers/{provider_id}', at(id))),
  })

export const makeIdentityProvider = (body: IdentityProviderBody) =>
  ok(api.POST('/api/v1/identity-providers', { body }))

export const changeIdentityProvider = (id: string, etag: string | null, body: IdentityProviderPatch) =>
  ok(api.PATCH('/api/v1/identity-providers/{provider_id}', { ...at(id), headers: ifMatch(etag), body }))

export const removeIdentityProvider = (id: string) =>
  ok(api.DELETE('/api/v1/identity-providers/{provider_id}', at(id)))

export const testNewIdentityProvider = (body: IdentityProviderBody) =>
  ok(api.POST('/api/v1/identity-providers/test', { body }))

export const testIdentityProvider = (id: string, changes: IdentityProviderPatch) =>
  ok(api.POST('/api/v1/identity-providers/{provider_id}/test', { ...at(id), body: { changes } }))

export const accessRequestsQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['access-requests', organizationId],
    queryFn: () =>
      ok(api.GET('/api/v1/access-requests', { params: { query: { organizationId, limit: 100 } } })),
  })

const of = (id: string) => ({ params: { path: { access_request_id: id } } })

export const acceptRequest = (id: string, permissionGroupIds: string[]) =>
  ok(
    api.POST('/api/v1/access-requests/{access_request_id}/accept', {
      ...of(id),
      body: { permissionGroupIds },
    }),
  )

export const rejectRequest = (id: string) =>
  ok(api.POST('/api/v1/access-requests/{access_request_id}/reject', of(id)))
