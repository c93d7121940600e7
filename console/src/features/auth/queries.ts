import { queryOptions } from '@tanstack/react-query'
import { api, keepCsrfToken, ok } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Me } from '@/api/types'

/** Who is signed in; null where nobody is. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: async (): Promise<Me | null> => {
    try {
      const me = await ok(api.GET('/api/v1/auth/me'))
      keepCsrfToken(me.csrfToken ?? null)
      return me
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 401) return null
      throw failure
    }
  },
  staleTime: 60_000,
  retry: false,
})

export const signIn = (body: { email: string; password: string }) =>
  ok(api.POST('/api/v1/auth/sign-in', { body }))

export const redeemLink = (token: string) => ok(api.POST('/api/v1/auth/link', { body: { token } }))

export const signOut = () => ok(api.POST('/api/v1/auth/sign-out'))
