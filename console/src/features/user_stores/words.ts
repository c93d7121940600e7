import type { UserStore } from '@/api/types'
import type { Tone } from '@/parts/Status'

export type StoreState = UserStore['health']['state'] | 'disabled'

export const STORE_TONE: Record<StoreState, Tone> = {
  untried: 'quiet',
  reached: 'good',
  failing: 'bad',
  disabled: 'paused',
}

/** Tell how a user store fares; one that is off is not asked. */
export const stateOf = (store: UserStore): StoreState => (store.enabled ? store.health.state : 'disabled')
