import type { MessageDelivery, Route, Target } from '@/api/types'
import type { Tone } from '@/parts/Status'

export type TargetState = Target['health']['state'] | 'paused'

export const TARGET_TONE: Record<TargetState, Tone> = {
  idle: 'quiet',
  ok: 'good',
  failing: 'warning',
  open: 'bad',
  paused: 'paused',
}

export const stateOf = (target: Target): TargetState => (target.paused ? 'paused' : target.health.state)

/** What a route may send: as decoded for the device, by its own decoder, or the bytes. */
export const FORMS = ['document', 'own', 'raw'] as const

export const formOf = (route: Route): (typeof FORMS)[number] => (route.decoderId ? 'own' : route.source)

export const DELIVERY_TONE: Record<MessageDelivery['state'], Tone> = {
  waiting: 'waiting',
  accepted: 'good',
  dead: 'bad',
  not_connected: 'none',
  unknown: 'quiet',
}

export const OUTCOME_TONE: Record<string, Tone> = {
  accepted: 'good',
  refused: 'bad',
  failed: 'warning',
  outage: 'warning',
}
