import type { Target } from '@/api/types'
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

export const OUTCOME_TONE: Record<string, Tone> = {
  accepted: 'good',
  refused: 'bad',
  failed: 'warning',
  outage: 'warning',
}
