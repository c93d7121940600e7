/** Read the one-time token from the address's fragment, which never reaches a server's log. */
export function linkToken(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token')
}
