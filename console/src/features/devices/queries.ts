import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type {
  CertificateBody,
  ChangeMany,
  CredentialBody,
  Device,
  DeviceBody,
  DevicePatch,
  ImportReport,
  Task,
  TopicRule,
  TopicRuleBody,
} from '@/api/types'
import { wordsOf } from '@/parts/address'
import { durationSeconds } from '@/parts/format'

export interface DeviceFilter {
  q?: string
  organizationId?: string
  applicationId?: string
  state?: string
  connectivity?: string
  kind?: string
  /** Words as the filter keeps them; all of these. */
  tag?: string
  metadata?: string
  decoderId?: string
  ownership?: string
  located?: string
  /** How long ago devices were last in contact: `P1D` is within a day, `-P1D` longer ago. */
  seen?: string
  /** A part of the map: west,south,east,north. */
  bbox?: string
  /** The instant to look at; now without. */
  at?: string
}

const one = <T extends string>(value: string | undefined): T[] | undefined =>
  value ? [value as T] : undefined

/** Give when devices were last in contact, as parameters; of the past that is not known. */
export function seenBetween(
  { seen, at }: Pick<DeviceFilter, 'seen' | 'at'>,
  now = Date.now(),
): { lastSeenFrom?: string; lastSeenTo?: string } {
  if (!seen || at) return {}
  const longer = seen.startsWith('-')
  const seconds = durationSeconds(longer ? seen.slice(1) : seen)
  if (seconds === null) return {}
  const then = new Date(now - seconds * 1000).toISOString()
  return longer ? { lastSeenTo: then } : { lastSeenFrom: then }
}

/** Give the parameters of a filter. */
export const asked = ({ q, organizationId, decoderId, at, bbox, seen, ...filter }: DeviceFilter) => ({
  q,
  at,
  bbox,
  ...seenBetween({ seen, at }),
  organizationId,
  decoderId,
  applicationId: one(filter.applicationId),
  tag: wordsOf(filter.tag),
  metadata: wordsOf(filter.metadata),
  ownership: filter.ownership as Device['ownership'] | undefined,
  located: filter.located ? filter.located === 'yes' : undefined,
  state: one<Device['state']>(filter.state),
  kind: one<Device['kind']>(filter.kind),
  connectivity: filter.connectivity as Device['connectivity'] | undefined,
})

export const listDevices = (filter: DeviceFilter, sort: string, after?: string) =>
  ok(
    api.GET('/api/v1/devices', {
      params: { query: { ...asked(filter), sort, after, total: true, limit: 100 } },
    }),
  )

/** How many devices a filter finds. */
export const countDevicesQuery = (filter: DeviceFilter) =>
  queryOptions({
    queryKey: ['devices', 'count', filter],
    queryFn: async () =>
      (
        await ok(
          api.GET('/api/v1/devices', { params: { query: { ...asked(filter), limit: 1, total: true } } }),
        )
      ).total ?? 0,
    refetchInterval: 15_000,
  })

export const findDevices = (q: string, organizationId?: string, kind?: Device['kind']) =>
  ok(
    api.GET('/api/v1/devices', {
      params: { query: { q, organizationId, kind: one<Device['kind']>(kind), limit: 8 } },
    }),
  )

/** A device, as it is or as it was. */
export const deviceQuery = (id: string, at?: string) =>
  queryOptions({
    queryKey: at ? ['devices', id, 'at', at] : ['devices', id],
    queryFn: () =>
      tagged(api.GET('/api/v1/devices/{device_id}', { params: { path: { device_id: id }, query: { at } } })),
    refetchInterval: at ? false : 15_000,
    placeholderData: at ? keepPreviousData : undefined,
  })

export const enrolDevice = (body: DeviceBody) => ok(api.POST('/api/v1/devices', { body }))

export const changeDevice = (id: string, etag: string | null, body: DevicePatch, reason?: string) =>
  ok(
    api.PATCH('/api/v1/devices/{device_id}', {
      params: { path: { device_id: id }, query: { reason } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const moveDevice = (id: string, applicationId: string) =>
  ok(
    api.POST('/api/v1/devices/{device_id}/move', {
      params: { path: { device_id: id } },
      body: { applicationId },
    }),
  )

/** Make a device somebody's own, or nobody's. */
export const giveDevice = (id: string, etag: string | null, userId: string | null) =>
  userId === null
    ? ok(api.DELETE('/api/v1/devices/{device_id}/owner', { params: { path: { device_id: id } } }))
    : ok(
        api.PUT('/api/v1/devices/{device_id}/owner', {
          params: { path: { device_id: id } },
          headers: ifMatch(etag),
          body: { userId },
        }),
      )

export const removeDevice = (id: string) =>
  ok(api.DELETE('/api/v1/devices/{device_id}', { params: { path: { device_id: id } } }))

// --- Many devices ---

/** Which devices: some by their ids, or all that a filter finds. */
export type Chosen = { deviceIds: string[] } | { filter: DeviceFilter }

const chosen = (which: Chosen) =>
  'filter' in which
    ? { query: asked(which.filter), deviceIds: [] }
    : { query: {}, deviceIds: which.deviceIds }

export function changeDevices(which: Chosen, body: Omit<ChangeMany, 'deviceIds'>) {
  const { query, deviceIds } = chosen(which)
  return ok(api.POST('/api/v1/devices/change', { params: { query }, body: { ...body, deviceIds } }))
}

export function moveDevices(which: Chosen, applicationId: string) {
  const { query, deviceIds } = chosen(which)
  return ok(api.POST('/api/v1/devices/move', { params: { query }, body: { applicationId, deviceIds } }))
}

export function removeDevices(which: Chosen) {
  const { query, deviceIds } = chosen(which)
  return ok(api.POST('/api/v1/devices/remove', { params: { query }, body: { deviceIds } }))
}

// --- Credentials ---

export const credentialsQuery = (id: string) =>
  queryOptions({
    queryKey: ['devices', id, 'credentials'],
    queryFn: () =>
      ok(api.GET('/api/v1/devices/{device_id}/credentials', { params: { path: { device_id: id } } })),
  })

export const issueCredential = (id: string, body: CredentialBody) =>
  ok(api.POST('/api/v1/devices/{device_id}/credentials', { params: { path: { device_id: id } }, body }))

export const addCertificate = (id: string, body: CertificateBody) =>
  ok(api.POST('/api/v1/devices/{device_id}/certificates', { params: { path: { device_id: id } }, body }))

export const rotateCredential = (id: string, credentialId: string, overlap: string) =>
  ok(
    api.POST('/api/v1/devices/{device_id}/rotate-credential', {
      params: { path: { device_id: id } },
      body: { credentialId, overlap },
    }),
  )

export const revokeCredential = (id: string, credentialId: string) =>
  ok(
    api.DELETE('/api/v1/devices/{device_id}/credentials/{credential_id}', {
      params: { path: { device_id: id, credential_id: credentialId } },
    }),
  )

export const readyCommands = (id: string) =>
  ok(api.GET('/api/v1/devices/{device_id}/connect', { params: { path: { device_id: id } } }))

export const presenceQuery = (id: string) =>
  queryOptions({
    queryKey: ['devices', id, 'presence'],
    queryFn: () =>
      ok(api.GET('/api/v1/devices/{device_id}/presence', { params: { path: { device_id: id } } })),
    // Who asks has what is open measured, and finds that a moment later.
    refetchInterval: ({ state }) =>
      state.data?.connections.some((one) => one.connected && one.terms && !one.measuredAt) ? 1_000 : 5_000,
  })

/** A device's life so far, the newest step first. */
export const statesQuery = (id: string) =>
  queryOptions({
    queryKey: ['devices', id, 'states'],
    queryFn: () => ok(api.GET('/api/v1/devices/{device_id}/states', { params: { path: { device_id: id } } })),
  })

// --- Photo ---

/** Where a device's photo is; null where it has none. */
export const photoAddress = (device: Device): string | null =>
  device.photoAt ? `/api/v1/devices/${device.id}/photo?at=${encodeURIComponent(device.photoAt)}` : null

export const setPhoto = (id: string, file: File) =>
  ok(
    api.PUT('/api/v1/devices/{device_id}/photo', {
      params: { path: { device_id: id } },
      body: file as never,
      bodySerializer: (content: unknown) => content as Blob,
      headers: { 'Content-Type': file.type },
    }),
  )

export const removePhoto = (id: string) =>
  ok(api.DELETE('/api/v1/devices/{device_id}/photo', { params: { path: { device_id: id } } }))

// --- Map and files ---

export interface Box {
  west: number
  south: number
  east: number
  north: number
}

export const devicesOnMap = (box: Box, filter: DeviceFilter, cells: number) =>
  ok(
    api.GET('/api/v1/devices/map', {
      params: {
        query: { ...asked(filter), bbox: [box.west, box.south, box.east, box.north].join(','), cells },
      },
    }),
  )

/** Send a file of many devices, row by row; with `preview` nothing is changed. */
export const importManyDevices = (
  content: string,
  type: 'text/csv' | 'application/json',
  preview: boolean,
  applicationId?: string,
) =>
  ok(
    api.POST('/api/v1/devices/import', {
      params: { query: { preview, applicationId, mode: 'partial' } },
      body: content as never,
      bodySerializer: (text: unknown) => text as string,
      headers: { 'Content-Type': type, Prefer: 'respond-async' },
    }),
  ) as Promise<Task>

/** Send a file of devices; with `preview` nothing is changed. */
export const importDevices = (
  content: string,
  type: 'text/csv' | 'application/json',
  preview: boolean,
  applicationId?: string,
): Promise<ImportReport> =>
  ok(
    api.POST('/api/v1/devices/import', {
      params: { query: { preview, applicationId } },
      body: content as never,
      bodySerializer: (text: unknown) => text as string,
      headers: { 'Content-Type': type },
    }),
  ) as Promise<ImportReport>

export const listTopicRules = (applicationId: string) =>
  ok(
    api.GET('/api/v1/applications/{application_id}/topic-rules', {
      params: { path: { application_id: applicationId } },
    }),
  )

export const makeTopicRule = (applicationId: string, body: TopicRuleBody) =>
  ok(
    api.POST('/api/v1/applications/{application_id}/topic-rules', {
      params: { path: { application_id: applicationId } },
      body,
    }),
  )

const ruleAt = (rule: TopicRule) => ({
  params: { path: { application_id: rule.applicationId, rule_id: rule.id } },
})

export const changeTopicRule = (rule: TopicRule, body: TopicRuleBody) =>
  ok(api.PATCH('/api/v1/applications/{application_id}/topic-rules/{rule_id}', { ...ruleAt(rule), body }))

export const removeTopicRule = (rule: TopicRule) =>
  ok(api.DELETE('/api/v1/applications/{application_id}/topic-rules/{rule_id}', ruleAt(rule)))
