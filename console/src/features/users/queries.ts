import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import type { ApiKeyBody, ApiKeyPatch, Attestation, InvitationBody, Permission, UserPatch } from '@/api/types'

export const listUsers = (
  filter: { q?: string; organizationId?: string; active?: boolean },
  after?: string,
) => ok(api.GET('/api/v1/users', { params: { query: { ...filter, after, total: true } } }))

export const findUsers = (q: string, organizationId?: string) =>
  ok(api.GET('/api/v1/users', { params: { query: { q, organizationId, limit: 6 } } }))

/** The people in reach, for choosing some. */
export const usersQuery = queryOptions({
  queryKey: ['users', 'all'],
  queryFn: () => ok(api.GET('/api/v1/users', { params: { query: { limit: 500 } } })),
  staleTime: 30_000,
})

const at = (id: string) => ({ params: { path: { user_id: id } } })

export const userQuery = (id: string) =>
  queryOptions({
    queryKey: ['users', id],
    queryFn: () => ok(api.GET('/api/v1/users/{user_id}', at(id))),
  })

/** Who was asked in and has not answered yet. */
export const invitationsQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['invitations', organizationId],
    queryFn: () => ok(api.GET('/api/v1/invitations', { params: { query: { organizationId, limit: 500 } } })),
  })

export const invite = (body: InvitationBody) => ok(api.POST('/api/v1/invitations', { body }))

export const withdraw = (id: string) =>
  ok(api.DELETE('/api/v1/invitations/{invitation_id}', { params: { path: { invitation_id: id } } }))

export const takeOut = (id: string, organizationId: string) =>
  ok(
    api.DELETE('/api/v1/users/{user_id}/organizations/{organization_id}', {
      params: { path: { user_id: id, organization_id: organizationId } },
    }),
  )

export const changeUser = (id: string, body: UserPatch) =>
  ok(api.PATCH('/api/v1/users/{user_id}', { ...at(id), body }))

export const removeUser = (id: string) => ok(api.DELETE('/api/v1/users/{user_id}', at(id)))

export const linkFor = (id: string) => ok(api.POST('/api/v1/users/{user_id}/link', at(id)))

/** Where somebody is signed in. */
export const sessionsOfQuery = (id: string) =>
  queryOptions({
    queryKey: ['sessions', id],
    queryFn: () => ok(api.GET('/api/v1/users/{user_id}/sessions', at(id))),
  })

export const endSessionOf = (id: string, sessionId: string) =>
  ok(
    api.DELETE('/api/v1/users/{user_id}/sessions/{session_id}', {
      params: { path: { user_id: id, session_id: sessionId } },
    }),
  )

export const removeSecondFactorsOf = (id: string) =>
  ok(api.DELETE('/api/v1/users/{user_id}/second-factors', at(id)))

export const endSessionsOf = (id: string) => ok(api.POST('/api/v1/users/{user_id}/end-sessions', at(id)))

// --- Access ---

/** Who may do what with an application or, without one, with the organization. */
export const listAccess = (
  filter: { organizationId: string; applicationId?: string; permission?: Permission },
  after?: string,
) => ok(api.GET('/api/v1/access', { params: { query: { ...filter, after, total: true } } }))

// --- API keys ---

export const listApiKeys = (filter: { organizationId?: string; q?: string }, after?: string) =>
  ok(api.GET('/api/v1/api-keys', { params: { query: { ...filter, after } } }))

/** The API keys in reach, for their names. */
export const apiKeysQuery = queryOptions({
  queryKey: ['api-keys', 'all'],
  queryFn: () => ok(api.GET('/api/v1/api-keys', { params: { query: { limit: 500 } } })),
  staleTime: 30_000,
})

export const makeApiKey = (body: ApiKeyBody) => ok(api.POST('/api/v1/api-keys', { body }))

export const changeApiKey = (id: string, body: ApiKeyPatch) =>
  ok(api.PATCH('/api/v1/api-keys/{key_id}', { params: { path: { key_id: id } }, body }))

export const removeApiKey = (id: string) =>
  ok(api.DELETE('/api/v1/api-keys/{key_id}', { params: { path: { key_id: id } } }))

// --- Oneself ---

/** Organizations that ask one in. */
export const myInvitationsQuery = queryOptions({
  queryKey: ['my-invitations'],
  queryFn: () => ok(api.GET('/api/v1/auth/invitations', { params: { query: {} } })),
  refetchInterval: 60_000,
})

export const answerInvitation = (id: string, answer: 'accept' | 'decline') =>
  ok(
    api.POST(`/api/v1/auth/invitations/{invitation_id}/${answer}`, {
      params: { path: { invitation_id: id } },
    }),
  )

export const sessionsQuery = queryOptions({
  queryKey: ['sessions'],
  queryFn: () => ok(api.GET('/api/v1/auth/sessions')),
})

export const endSession = (id: string) =>
  ok(api.DELETE('/api/v1/auth/sessions/{session_id}', { params: { path: { session_id: id } } }))

export const endOtherSessions = () => ok(api.POST('/api/v1/auth/sessions/end-others'))

/** What one shows beside the password. */
export const secondFactorsQuery = queryOptions({
  queryKey: ['second-factors'],
  queryFn: () => ok(api.GET('/api/v1/auth/second-factors')),
})

export const beginTotp = (password: string | null) =>
  ok(api.POST('/api/v1/auth/second-factors/totp', { body: { password } }))

export const confirmTotp = (code: string) =>
  ok(api.POST('/api/v1/auth/second-factors/totp/confirm', { body: { code } }))

export const removeTotp = (password: string | null, code: string) =>
  ok(api.POST('/api/v1/auth/second-factors/totp/remove', { body: { password, code } }))

export const makeBackupCodes = (password: string | null, code: string) =>
  ok(api.POST('/api/v1/auth/second-factors/backup-codes', { body: { password, code } }))

export const beginPasskey = (password: string | null) =>
  ok(api.POST('/api/v1/auth/passkeys/options', { body: { password } }))

export const addPasskey = (name: string, credential: Attestation) =>
  ok(api.POST('/api/v1/auth/passkeys', { body: { name, credential } }))

export const removePasskey = (id: string) =>
  ok(api.DELETE('/api/v1/auth/passkeys/{passkey_id}', { params: { path: { passkey_id: id } } }))

export const changePassword = (currentPassword: string | null, newPassword: string) =>
  ok(api.POST('/api/v1/auth/password', { body: { currentPassword, newPassword } }))
