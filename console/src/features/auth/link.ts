/** Read the token of a link that sets a new password, and whether one wants to ask for such a link. */
export function resetIn(hash: string): { token: string | null; asks: boolean } {
  const read = new URLSearchParams(hash.replace(/^#/, ''))
  return { token: read.get('reset'), asks: read.has('forgotten') }
}

/** Read why a sign-in by an identity provider failed: the code of the error. */
export function failedIn(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, '')).get('failed')
}

/** Read the one-time token from the address's fragment, which never reaches a server's log. */
export function linkToken(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token')
}
