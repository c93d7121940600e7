import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, ok } from '@/api/client'
import { useFailureText } from './Failure'
import { failed } from './notify'

/** What the server remembers for the person signed in, by name. */
export const preferencesQuery = queryOptions({
  queryKey: ['preferences'],
  queryFn: () => ok(api.GET('/api/v1/auth/preferences')),
  staleTime: 60_000,
})

/** Keep a list with the person, on the server, so that it is there in every browser. */
export function useKept<T>(name: string, fallback: T[]): [T[], (next: T[]) => void] {
  const client = useQueryClient()
  const text = useFailureText()
  const kept = useQuery(preferencesQuery).data?.[name]
  const { queryKey } = preferencesQuery
  const keep = useMutation({
    mutationFn: (next: T[]) => ok(api.PATCH('/api/v1/auth/preferences', { body: { [name]: next } as never })),
    onMutate: (next) => client.setQueryData(queryKey, (all) => ({ ...all, [name]: next }) as typeof all),
    onSuccess: (all) => client.setQueryData(queryKey, all),
    onError: (failure) => {
      failed(text(failure))
      void client.invalidateQueries({ queryKey })
    },
  })
  return [Array.isArray(kept) ? (kept as T[]) : fallback, keep.mutate]
}
