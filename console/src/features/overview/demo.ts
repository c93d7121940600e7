import { queryOptions } from '@tanstack/react-query'
import { api, ok } from '@/api/client'

/** Whether there is a demo, and whether it plays; for administrators of the installation. */
export const demoQuery = queryOptions({
  queryKey: ['demo'],
  queryFn: () => ok(api.GET('/api/v1/demo')),
  refetchInterval: 10_000,
})

export const startDemo = () => ok(api.POST('/api/v1/demo'))

export const removeDemo = () => ok(api.DELETE('/api/v1/demo'))
