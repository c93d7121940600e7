import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { BrokerBody, BrokerConnection, BrokerPatch } from '@/api/types'

export const listBrokers = (filter: { q?: string; organizationId?: string }, after?: string) =>
  ok(api.GET('/api/v1/brokers', { params: { query: { ...filter, after } } }))

const at = (id: string) => ({ params: { path: { broker_id: id } } })

export const brokerQuery = (id: string) =>
  queryOptions({
    queryKey: ['brokers', id],
    queryFn: () => tagged(api.GET('/api/v1/brokers/{broker_id}', at(id))),
    refetchInterval: 10_000,
  })

export const setupQuery = (id: string) =>
  queryOptions({
    queryKey: ['brokers', id, 'setup'],
    queryFn: () => ok(api.GET('/api/v1/brokers/{broker_id}/setup', at(id))),
  })

export const makeBroker = (body: BrokerBody) => ok(api.POST('/api/v1/brokers', { body }))

export const changeBroker = (id: string, etag: string | null, body: BrokerPatch) =>
  ok(api.PATCH('/api/v1/brokers/{broker_id}', { ...at(id), headers: ifMatch(etag), body }))

export const connectBroker = (id: string, body: BrokerConnection) =>
  ok(api.POST('/api/v1/brokers/{broker_id}/connect', { ...at(id), body }))

export const rotateToken = (id: string) =>
  ok(api.POST('/api/v1/brokers/{broker_id}/rotate-token', { ...at(id), body: {} }))

export const removeBroker = (id: string) => ok(api.DELETE('/api/v1/brokers/{broker_id}', at(id)))
