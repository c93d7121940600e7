import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import type { Tone } from '@/parts/Status'

export type State = Device['state']
export type Connectivity = Device['connectivity']

export const CONNECTIVITY: Connectivity[] = ['connected', 'seen', 'silent', 'neverSeen']
export const STATES: State[] = ['planned', 'active', 'maintenance', 'suspended', 'lost', 'retired']
export const KINDS: Device['kind'][] = [
  'mqtt',
  'http',
  'lorawan',
  'sigfox',
  'nbIot',
  'coap',
  'xmpp',
  'gateway',
  'phone',
  'tablet',
  'computer',
  'other',
]

export const OWNERSHIPS = ['byod', 'cope', 'corporate', 'dedicated'] as const

/** Which state may follow which; the server decides, this only offers what it would take. */
export const NEXT_STATES: Record<State, State[]> = {
  waiting: ['active'],
  planned: ['active', 'retired'],
  active: ['maintenance', 'suspended', 'lost', 'retired'],
  maintenance: ['active', 'suspended', 'lost', 'retired'],
  suspended: ['active', 'maintenance', 'lost', 'retired'],
  lost: ['active', 'suspended', 'retired'],
  retired: ['planned'],
}

export const CONNECTIVITY_TONE: Record<Connectivity, Tone> = {
  connected: 'good',
  seen: 'info',
  silent: 'warning',
  neverSeen: 'none',
}

export const STATE_TONE: Record<State, Tone> = {
  waiting: 'waiting',
  planned: 'waiting',
  active: 'good',
  maintenance: 'paused',
  suspended: 'paused',
  lost: 'bad',
  retired: 'quiet',
}

/** Say why a connection ended. */
export function useCause() {
  const { t, i18n } = useTranslation()
  return (cause: string): string =>
    i18n.exists(`disconnectCause.${cause}`) ? t(`disconnectCause.${cause}` as never) : cause
}
