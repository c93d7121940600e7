import { api, ok } from '@/api/client'

export interface MessageFilter {
  organizationId?: string
  applicationId?: string
  status?: string
}

export const listMessages = (filter: MessageFilter, after?: string) =>
  ok(api.GET('/api/v1/messages', { params: { query: { ...filter, after } } }))

export const listRefusals = (organizationId?: string, after?: string) =>
  ok(api.GET('/api/v1/refusals', { params: { query: { organizationId, after } } }))

export const listInbox = (organizationId?: string, after?: string) =>
  ok(api.GET('/api/v1/inbox', { params: { query: { organizationId, after } } }))

export const adoptSender = (id: string, body: { applicationId: string; name: string }) =>
  ok(api.POST('/api/v1/inbox/{sender_id}/adopt', { params: { path: { sender_id: id } }, body }))

export const dismissSender = (id: string) =>
  ok(api.DELETE('/api/v1/inbox/{sender_id}', { params: { path: { sender_id: id } } }))
