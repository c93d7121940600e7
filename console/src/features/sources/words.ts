import type { Source, SourceLogEntry } from '@/api/types'
import type { Tone } from '@/parts/Status'

export type SourceState = Source['health']['state'] | 'limited' | 'paused'

export const SOURCE_TONE: Record<SourceState, Tone> = {
  idle: 'quiet',
  connected: 'good',
  limited: 'warning',
  failing: 'bad',
  paused: 'paused',
}

/** Tell how a source fares: one that is connected may still be refused some of what it asks for. */
export function stateOf(source: Source): SourceState {
  if (source.paused) return 'paused'
  return source.health.state === 'connected' && source.health.error ? 'limited' : source.health.state
}

export const MESSAGE_TONE: Record<SourceLogEntry['outcome'], Tone> = {
  taken: 'good',
  repeated: 'quiet',
  refused: 'bad',
}

export const CALLED_BY: Source['calledBy'][] = ['id', 'name', 'serial', 'userName', 'identifier']

/** Tell whether a URL asks for encryption. */
export const isEncrypted = (url: string) => /^(mqtts|wss):/i.test(url.trim())
