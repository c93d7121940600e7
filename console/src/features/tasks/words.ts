import type { Task } from '@/api/types'
import type { Tone } from '@/parts/Status'

export const TONES: Record<Task['state'], Tone> = {
  waiting: 'waiting',
  running: 'info',
  completed: 'good',
  failed: 'bad',
  cancelled: 'quiet',
}
