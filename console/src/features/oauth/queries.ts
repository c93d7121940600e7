import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import type { OauthClientBody, OauthClientPatch } from '@/api/types'

export const listClients = (filter: { organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/oauth/clients', { params: { query: { ...filter, after } } }))

const at = (id: string) => ({ params: { path: { client_id: id } } })

export const makeClient = (body: OauthClientBody) => ok(api.POST('/api/v1/oauth/clients', { body }))

export const changeClient = (id: string, body: OauthClientPatch) =>
  ok(api.PATCH('/api/v1/oauth/clients/{client_id}', { ...at(id), body }))

export const removeClient = (id: string) => ok(api.DELETE('/api/v1/oauth/clients/{client_id}', at(id)))

export const rotateSecret = (id: string) =>
  ok(api.POST('/api/v1/oauth/clients/{client_id}/rotate-secret', at(id)))

/** What programs were allowed: in my name, and those I administer. */
export const authorizationsQuery = queryOptions({
  queryKey: ['authorizations'],
  queryFn: () => ok(api.GET('/api/v1/oauth/authorizations', { params: { query: { limit: 500 } } })),
})

export const endAuthorization = (id: string) =>
  ok(
    api.DELETE('/api/v1/oauth/authorizations/{authorization_id}', {
      params: { path: { authorization_id: id } },
    }),
  )

/** What a program asks, by what stood behind the `?` as it sent the browser here. */
export const askQuery = (query: string) =>
  queryOptions({
    queryKey: ['ask', query],
    queryFn: () => ok(api.POST('/api/v1/oauth/authorizations/ask', { body: { query } })),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  })

export const answer = (query: string, allow: boolean) =>
  ok(api.POST('/api/v1/oauth/authorizations/answer', { body: { query, allow } }))

export const askForDevice = (userCode: string) =>
  ok(api.POST('/api/v1/oauth/device-codes/ask', { body: { userCode } }))

export const answerDevice = (userCode: string, allow: boolean) =>
  ok(api.POST('/api/v1/oauth/device-codes/answer', { body: { userCode, allow } }))
