import { useMutation, useQueryClient } from '@tanstack/react-query'
import { meQuery, signOut } from './queries'

/** Give the function that ends the session and forgets what it showed. */
export function useSignOut(): () => void {
  const client = useQueryClient()
  const leave = useMutation({
    mutationFn: signOut,
    onSuccess: ({ address }) => {
      if (address) window.location.assign(address)
    },
    onSettled: () => {
      client.setQueryData(meQuery.queryKey, null)
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'me' })
    },
  })
  return leave.mutate
}
