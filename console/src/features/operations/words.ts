import type { Operation } from '@/api/types'
import type { Tone } from '@/parts/Status'

export type OperationState = Operation['state']

export const OPERATION_TONE: Record<OperationState, Tone> = {
  pending: 'waiting',
  sent: 'info',
  inProgress: 'info',
  notNow: 'paused',
  repeated: 'info',
  completed: 'good',
  error: 'bad',
  cancelled: 'quiet',
  expired: 'bad',
  timedOut: 'bad',
}

export const OPERATION_STATES = Object.keys(OPERATION_TONE) as OperationState[]

/** Whether an operation can still be called back. */
export const isOpen = (state: OperationState) => ['pending', 'sent', 'inProgress', 'notNow'].includes(state)
