import { api, ok } from '@/api/client'

/** What makes this browser a device. */
export interface Identity {
  deviceId: string
  name: string
  secret: string
}

const KEPT = 'moorage.phone'

/** Read who this browser is, if it became a device before. */
export function keptIdentity(): Identity | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? 'null') as Identity | null
  } catch {
    return null
  }
}

/** Keep who this browser is; where it keeps nothing, it is a device until the page is closed. */
export function keepIdentity(identity: Identity | null) {
  try {
    if (identity) localStorage.setItem(KEPT, JSON.stringify(identity))
    else localStorage.removeItem(KEPT)
  } catch {
    // A browser in private mode may refuse.
  }
}

/** Read the one-time claim from the address's fragment, which never reaches a server's log. */
export function claimToken(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, '')).get('claim')
}

/** Use a claim up: make a device of this browser. Throws Problem. */
export const redeemClaim = (body: { token: string; name: string }): Promise<Identity> =>
  ok(api.POST('/api/v1/claims', { body }))

/** Guess what to call this device. */
export function guessName(agent: string): string {
  return (
    ['iPhone', 'iPad', 'Pixel', 'Android', 'Windows', 'Mac', 'Linux'].find((n) => agent.includes(n)) ?? ''
  )
}
