import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { IdentityProviderBody, IdentityProviderKeyBody, IdentityProviderPatch } from '@/api/types'

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

export const keysQuery = (id: string) =>
  queryOptions({
    queryKey: ['identity-providers', id, 'keys'],
    queryFn: () => ok(api.GET('/api/v1/identity-providers/{provider_id}/keys', at(id))),
  })

/** Add a key that is brought, or a new one. */
export const addKey = (id: string, body?: IdentityProviderKeyBody) =>
  ok(api.POST('/api/v1/identity-providers/{provider_id}/keys', { ...at(id), body }))

const key = (id: string, keyId: string) => ({ params: { path: { provider_id: id, key_id: keyId } } })

export const signWithKey = (id: string, keyId: string) =>
  ok(api.POST('/api/v1/identity-providers/{provider_id}/keys/{key_id}/use', key(id, keyId)))

export const removeKey = (id: string, keyId: string) =>
  ok(api.DELETE('/api/v1/identity-providers/{provider_id}/keys/{key_id}', key(id, keyId)))

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
