import { durationSeconds } from './format'

/** Seconds in each unit offered. */
export const UNITS = { minutes: 60, hours: 3_600, days: 86_400 } as const
export type Unit = keyof typeof UNITS

/** Write an amount of a unit as an ISO 8601 duration. */
export function asDuration(amount: number, unit: Unit): string {
  return unit === 'days' ? `P${amount}D` : unit === 'hours' ? `PT${amount}H` : `PT${amount}M`
}

/** Split a duration into an amount of its largest whole unit. */
export function splitDuration(iso: string | null | undefined): [number | '', Unit] {
  const seconds = iso ? durationSeconds(iso) : null
  if (seconds === null) return ['', 'hours']
  for (const unit of ['days', 'hours', 'minutes'] as const) {
    if (seconds % UNITS[unit] === 0 && seconds > 0) return [seconds / UNITS[unit], unit]
  }
  return [Math.max(1, Math.round(seconds / 60)), 'minutes']
}
