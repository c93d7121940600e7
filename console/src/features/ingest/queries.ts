import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import { Problem } from '@/api/problem'
import type { AdoptBody } from '@/api/types'

export const listRefusals = (filter: { since?: string; deviceId?: string }, after?: string) =>
  ok(api.GET('/api/v1/refusals', { params: { query: { ...filter, after } } }))

// --- Inbox ---

export const listWaiting = (filter: { organizationId?: string; applicationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/inbox', { params: { query: { ...filter, after, total: true } } }))

/** How many wait in the inbox. */
export const countWaitingQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['inbox', 'count', organizationId],
    queryFn: async () => {
      const query = { organizationId, limit: 1, total: true }
      return (await ok(api.GET('/api/v1/inbox', { params: { query } }))).total ?? 0
    },
    refetchInterval: 15_000,
  })

export const adopt = (id: string, body: AdoptBody) =>
  ok(api.POST('/api/v1/inbox/{device_id}/adopt', { params: { path: { device_id: id } }, body }))

export const dismiss = (id: string) =>
  ok(api.DELETE('/api/v1/inbox/{device_id}', { params: { path: { device_id: id } } }))

const of = (applicationId: string) => ({ params: { path: { application_id: applicationId } } })

/** What is known of an application's inbox key; null where it has none. */
export const inboxKeyQuery = (applicationId: string) =>
  queryOptions({
    queryKey: ['inbox', 'key', applicationId],
    queryFn: async () => {
      try {
        return await ok(api.GET('/api/v1/applications/{application_id}/inbox-key', of(applicationId)))
      } catch (failure) {
        if (failure instanceof Problem && failure.code === 'devices.inbox_unknown') return null
        throw failure
      }
    },
    enabled: applicationId !== '',
    retry: false,
  })

export const makeInboxKey = (applicationId: string) =>
  ok(api.POST('/api/v1/applications/{application_id}/inbox-key', of(applicationId)))

export const closeInbox = (applicationId: string) =>
  ok(api.DELETE('/api/v1/applications/{application_id}/inbox-key', of(applicationId)))
