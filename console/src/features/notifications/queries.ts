import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import type { Notice } from '@/api/types'

export interface NoticeFilter {
  state?: string
  organizationId?: string
  applicationId?: string
  subjectId?: string
}

export const listNotices = (filter: NoticeFilter, after?: string) =>
  ok(
    api.GET('/api/v1/notices', {
      params: {
        query: {
          ...filter,
          state: filter.state ? [filter.state as Notice['state']] : undefined,
          after,
          total: true,
        },
      },
    }),
  )

/** The notices that nobody has taken up yet. */
export const openNoticesQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['notices', 'open', organizationId],
    queryFn: () => listNotices({ state: 'open', organizationId }),
    refetchInterval: 10_000,
  })

/** The notice that the disk fills up, taken up or not; null while there is room. */
export const diskNoticeQuery = queryOptions({
  queryKey: ['notices', 'disk'],
  queryFn: async () => {
    const query = { kind: ['diskFilling' as const], state: ['open' as const, 'acknowledged' as const] }
    return (await ok(api.GET('/api/v1/notices', { params: { query } }))).items[0] ?? null
  },
  refetchInterval: 60_000,
})

export const acknowledgeNotice = (id: string) =>
  ok(api.POST('/api/v1/notices/{notice_id}/acknowledge', { params: { path: { notice_id: id } } }))

/** The open notices about one device. */
export const openNoticesOfQuery = (deviceId: string) =>
  queryOptions({
    queryKey: ['notices', 'open', 'device', deviceId],
    queryFn: () => listNotices({ state: 'open', subjectId: deviceId }),
    refetchInterval: 10_000,
  })
