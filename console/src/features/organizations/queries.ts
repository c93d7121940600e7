import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type {
  DeviceAuthorityBody,
  Member,
  MemberBody,
  OrganizationBody,
  OrganizationPatch,
  PermissionGroupBody,
  RevocationListBody,
} from '@/api/types'

/** The organizations in reach, for choosing one. */
export const organizationsQuery = queryOptions({
  queryKey: ['organizations', 'all'],
  queryFn: () => ok(api.GET('/api/v1/organizations', { params: { query: { limit: 500, sort: 'name' } } })),
  staleTime: 30_000,
})

export const listOrganizations = (q: string | undefined, after: string | undefined) =>
  ok(api.GET('/api/v1/organizations', { params: { query: { q, after, sort: 'name', total: true } } }))

export const findOrganizations = (q: string) =>
  ok(api.GET('/api/v1/organizations', { params: { query: { q, limit: 6, sort: 'name' } } }))

export const organizationQuery = (id: string) =>
  queryOptions({
    queryKey: ['organizations', id],
    queryFn: () =>
      tagged(
        api.GET('/api/v1/organizations/{organization_id}', { params: { path: { organization_id: id } } }),
      ),
  })

export const foundOrganization = (body: OrganizationBody) => ok(api.POST('/api/v1/organizations', { body }))

export const changeOrganization = (id: string, etag: string | null, body: OrganizationPatch) =>
  ok(
    api.PATCH('/api/v1/organizations/{organization_id}', {
      params: { path: { organization_id: id } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const dissolveOrganization = (id: string) =>
  ok(api.DELETE('/api/v1/organizations/{organization_id}', { params: { path: { organization_id: id } } }))

// --- Who signs certificates of devices ---

const AUTHORITIES = '/api/v1/organizations/{organization_id}/device-authorities'

export const authoritiesQuery = (id: string) =>
  queryOptions({
    queryKey: ['organizations', id, 'authorities'],
    queryFn: () => ok(api.GET(AUTHORITIES, { params: { path: { organization_id: id } } })),
  })

export const registerAuthority = (id: string, body: DeviceAuthorityBody) =>
  ok(api.POST(AUTHORITIES, { params: { path: { organization_id: id } }, body }))

export const removeAuthority = (id: string, authorityId: string) =>
  ok(
    api.DELETE(`${AUTHORITIES}/{authority_id}`, {
      params: { path: { organization_id: id, authority_id: authorityId } },
    }),
  )

export const putRevocationList = (id: string, authorityId: string, body: RevocationListBody) =>
  ok(
    api.PUT(`${AUTHORITIES}/{authority_id}/revocation-list`, {
      params: { path: { organization_id: id, authority_id: authorityId } },
      body,
    }),
  )

// --- Permission groups ---

export const listGroups = (organizationId: string | undefined, after?: string) =>
  ok(api.GET('/api/v1/permissions', { params: { query: { organizationId, after, limit: 100 } } }))

/** The groups in reach, for choosing some. */
export const groupsQuery = (organizationId: string | undefined) =>
  queryOptions({
    queryKey: ['permissions', 'all', organizationId],
    queryFn: () => ok(api.GET('/api/v1/permissions', { params: { query: { organizationId, limit: 500 } } })),
  })

export const groupsOfMemberQuery = (memberId: string) =>
  queryOptions({
    queryKey: ['permissions', 'member', memberId],
    queryFn: () => ok(api.GET('/api/v1/permissions', { params: { query: { memberId, limit: 500 } } })),
  })

export const groupQuery = (id: string) =>
  queryOptions({
    queryKey: ['permissions', id],
    queryFn: () => tagged(api.GET('/api/v1/permissions/{group_id}', { params: { path: { group_id: id } } })),
  })

export const makeGroup = (body: PermissionGroupBody) => ok(api.POST('/api/v1/permissions', { body }))

export const changeGroup = (
  id: string,
  etag: string | null,
  body: Omit<PermissionGroupBody, 'organizationId'>,
) =>
  ok(
    api.PATCH('/api/v1/permissions/{group_id}', {
      params: { path: { group_id: id } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const removeGroup = (id: string) =>
  ok(api.DELETE('/api/v1/permissions/{group_id}', { params: { path: { group_id: id } } }))

export const membersQuery = (id: string) =>
  queryOptions({
    queryKey: ['permissions', id, 'members'],
    queryFn: () =>
      ok(api.GET('/api/v1/permissions/{group_id}/members', { params: { path: { group_id: id } } })),
  })

export const addMember = (id: string, body: MemberBody) =>
  ok(api.POST('/api/v1/permissions/{group_id}/members', { params: { path: { group_id: id } }, body }))

export const removeMember = (id: string, kind: Member['kind'], memberId: string) =>
  ok(
    api.DELETE('/api/v1/permissions/{group_id}/members/{kind}/{member_id}', {
      params: { path: { group_id: id, kind, member_id: memberId } },
    }),
  )
