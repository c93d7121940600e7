import type { Tone } from '@/parts/Status'
import type { Status } from './queries'

export const STATUSES: Status[] = ['none', 'inOperation', 'project', 'prototype', 'other']

export const STATUS_TONE: Record<Status, Tone> = {
  none: 'none',
  inOperation: 'good',
  project: 'info',
  prototype: 'waiting',
  other: 'quiet',
}
