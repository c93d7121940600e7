import { queryOptions } from '@tanstack/react-query'
import { api, ifMatch, ok, tagged } from '@/api/client'
import type { Application, ApplicationBody, ApplicationPatch, Task } from '@/api/types'

export type Status = Application['status']

export interface ApplicationFilter {
  q?: string
  status?: string
  organizationId?: string
}

export const listApplications = (filter: ApplicationFilter, sort: string, after?: string) =>
  ok(
    api.GET('/api/v1/applications', {
      params: {
        query: {
          q: filter.q,
          organizationId: filter.organizationId,
          status: filter.status ? [filter.status as Status] : undefined,
          sort,
          after,
          total: true,
        },
      },
    }),
  )

/** The applications in reach, for choosing one. */
export const applicationsQuery = (organizationId?: string) =>
  queryOptions({
    queryKey: ['applications', 'all', organizationId],
    queryFn: () =>
      ok(
        api.GET('/api/v1/applications', { params: { query: { organizationId, limit: 500, sort: 'name' } } }),
      ),
    staleTime: 30_000,
  })

export const findApplications = (q: string, organizationId?: string) =>
  ok(api.GET('/api/v1/applications', { params: { query: { q, organizationId, limit: 6 } } }))

export const applicationQuery = (id: string) =>
  queryOptions({
    queryKey: ['applications', id],
    queryFn: () =>
      tagged(api.GET('/api/v1/applications/{application_id}', { params: { path: { application_id: id } } })),
  })

export const makeApplication = (body: ApplicationBody) => ok(api.POST('/api/v1/applications', { body }))

export const changeApplication = (id: string, etag: string | null, body: ApplicationPatch) =>
  ok(
    api.PATCH('/api/v1/applications/{application_id}', {
      params: { path: { application_id: id } },
      headers: ifMatch(etag),
      body,
    }),
  )

export const moveApplication = (id: string, organizationId: string) =>
  ok(
    api.POST('/api/v1/applications/{application_id}/move', {
      params: { path: { application_id: id } },
      body: { organizationId },
    }),
  )

/** Remove an application with its devices, as a task. */
export const removeApplication = (id: string) =>
  ok(
    api.DELETE('/api/v1/applications/{application_id}', {
      params: { path: { application_id: id }, query: { withDevices: true } },
      headers: { Prefer: 'respond-async' },
    }),
  ) as Promise<Task>
