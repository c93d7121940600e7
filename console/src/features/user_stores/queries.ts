import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { UserStoreBody, UserStorePatch, UserStoreTry } from '@/api/types'

export const listUserStores = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/user-stores', { params: { query: { ...filter, after } } }))

const at = (id: string) => ({ params: { path: { store_id: id } } })

export const userStoreQuery = (id: string) =>
  queryOptions({
    queryKey: ['user-stores', id],
    queryFn: () => tagged(api.GET('/api/v1/user-stores/{store_id}', at(id))),
    refetchInterval: 3_000,
  })

export const makeUserStore = (body: UserStoreBody) => ok(api.POST('/api/v1/user-stores', { body }))

export const changeUserStore = (id: string, etag: string | null, body: UserStorePatch) =>
  ok(api.PATCH('/api/v1/user-stores/{store_id}', { ...at(id), headers: ifMatch(etag), body }))

export const removeUserStore = (id: string) => ok(api.DELETE('/api/v1/user-stores/{store_id}', at(id)))

export const syncUserStore = (id: string) => ok(api.POST('/api/v1/user-stores/{store_id}/sync', at(id)))

export const testNewUserStore = (store: UserStoreBody, whom: Whom) =>
  ok(api.POST('/api/v1/user-stores/test', { body: { store, ...whom } }))

export const testUserStore = (id: string, changes: UserStoreTry['changes'], whom: Whom) =>
  ok(api.POST('/api/v1/user-stores/{store_id}/test', { ...at(id), body: { changes, ...whom } }))

export const findPeople = (id: string, q: string) =>
  ok(api.POST('/api/v1/user-stores/{store_id}/find-people', { ...at(id), body: { q } }))

export const giveAccount = (id: string, entry: string) =>
  ok(
    api.POST('/api/v1/user-stores/{store_id}/people/{entry_id}/account', {
      params: { path: { store_id: id, entry_id: entry } },
    }),
  )

/** Whom to look for while trying a store out. */
export interface Whom {
  tryName?: string
  tryPassword?: string
}
