import { api, ok } from '@/api/client'

export interface ConnectionFilter {
  organizationId?: string
  q?: string
  version?: string
  tls?: boolean
  sort?: string
}

/** Connections of devices that are open now. */
export const listConnections = (filter: ConnectionFilter, after?: string) =>
  ok(api.GET('/api/v1/presence', { params: { query: { ...filter, connected: true, after, total: true } } }))

export const listPrograms = (
  filter: { organizationId?: string; q?: string; sort?: string },
  after?: string,
) => ok(api.GET('/api/v1/programs', { params: { query: { ...filter, after, total: true } } }))

export const endConnection = (deviceId: string, clientId: string) =>
  ok(
    api.POST('/api/v1/devices/{device_id}/presence/end', {
      params: { path: { device_id: deviceId } },
      body: { clientId },
    }),
  )

export const endProgram = (id: string) =>
  ok(api.POST('/api/v1/programs/{program_id}/end', { params: { path: { program_id: id } } }))
