import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import type { ListPage } from '@/api/pages'
import type { Message, Readings } from '@/api/types'

/** The newest value of each series, today or at an instant. */
export const latestQuery = (deviceId: string, at?: string) =>
  queryOptions({
    queryKey: at ? ['latest', deviceId, at] : ['latest', deviceId],
    queryFn: () =>
      ok(
        api.GET('/api/v1/devices/{device_id}/latest', {
          params: { path: { device_id: deviceId }, query: { at } },
        }),
      ),
    placeholderData: at ? keepPreviousData : undefined,
  })

export interface Span {
  from: string
  to: string
}

const POINTS = 1_500
const STEPS = [10, 30, 60, 300, 900, 3_600, 10_800, 86_400]

/** Give the step that thins a span to what a chart can show; none for short spans. */
export function stepFor(span: Span): string | undefined {
  const seconds = (Date.parse(span.to) - Date.parse(span.from)) / 1000
  if (seconds <= 6 * 3_600) return undefined
  const step = STEPS.find((s) => seconds / s <= POINTS) ?? STEPS.at(-1)
  return `PT${step}S`
}

/** The readings of some series, thinned by the server to what a chart can show. */
export const readingsQuery = (deviceId: string, series: string[], span: Span) =>
  queryOptions({
    queryKey: ['readings', deviceId, series, span.from, span.to],
    queryFn: (): Promise<Readings> =>
      ok(
        api.GET('/api/v1/devices/{device_id}/readings', {
          params: {
            path: { device_id: deviceId },
            query: { series, ...span, step: stepFor(span), limit: 50_000 },
          },
        }),
      ) as Promise<Readings>,
    enabled: series.length > 0,
    placeholderData: keepPreviousData,
  })

export const listMessagesOf = async (deviceId: string, problems: boolean, after?: string) =>
  (await ok(
    api.GET('/api/v1/devices/{device_id}/messages', {
      params: { path: { device_id: deviceId }, query: { problems, after } },
    }),
  )) as ListPage<Message>

/** What a device sent last. */
export const messagesOfQuery = (deviceId: string) =>
  queryOptions({
    queryKey: ['messages', deviceId, 'last'],
    queryFn: () => listMessagesOf(deviceId, false),
    refetchInterval: 10_000,
  })

export const messageQuery = (deviceId: string, position: string) =>
  queryOptions({
    queryKey: ['messages', deviceId, position],
    queryFn: () =>
      ok(
        api.GET('/api/v1/devices/{device_id}/messages/{position}', {
          params: { path: { device_id: deviceId, position } },
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  })

export interface RecentFilter {
  organizationId?: string
  applicationId?: string
  deviceId?: string
  from?: string
  to?: string
  problems?: boolean
}

/** The newest messages of every device in reach. */
export const listRecent = (filter: RecentFilter, after?: string) =>
  ok(api.GET('/api/v1/messages', { params: { query: { ...filter, after } } }))
