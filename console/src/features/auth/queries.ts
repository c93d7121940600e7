import { queryOptions } from '@tanstack/react-query'
import { api, keepCsrfToken, ok } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Assertion, Me } from '@/api/types'
import { askPasskey } from './passkey'

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

/** What one shows beside the password. */
export interface Proof {
  code?: string
  passkey?: Assertion
}

export const signIn = (body: { email: string; password: string } & Proof) =>
  ok(api.POST('/api/v1/auth/sign-in', { body }))

export const redeemLink = (body: { token: string } & Proof) => ok(api.POST('/api/v1/auth/link', { body }))

/** Sign in with a passkey; false where the person said no. */
export async function signInByPasskey(): Promise<boolean> {
  const credential = await askPasskey(await ok(api.POST('/api/v1/auth/passkeys/challenge')))
  if (!credential) return false
  await ok(api.POST('/api/v1/auth/passkeys/sign-in', { body: { credential } }))
  return true
}

/** What the installation offers to who is not signed in. */
export const waysQuery = queryOptions({
  queryKey: ['ways'],
  queryFn: () => ok(api.GET('/api/v1/auth/ways')),
  staleTime: Number.POSITIVE_INFINITY,
})

export const askReset = (email: string) => ok(api.POST('/api/v1/auth/reset', { body: { email } }))

export const setPassword = (body: { token: string; newPassword: string }) =>
  ok(api.POST('/api/v1/auth/reset-password', { body }))

/** The identity providers that the sign-in page shows. */
export const offersQuery = queryOptions({
  queryKey: ['sign-in-offers'],
  queryFn: () => ok(api.GET('/api/v1/auth/single-sign-on/offers')),
  staleTime: 60_000,
})

/** Go to an identity provider, which sends the browser back. */
export function setOut(provider: string, to: string): void {
  window.location.assign(`/api/v1/auth/single-sign-on/begin?${new URLSearchParams({ provider, to })}`)
}

/** End the session; gives where the browser signs out at its identity provider, if it came by one. */
export const signOut = () => ok(api.POST('/api/v1/auth/single-sign-on/sign-out'))
