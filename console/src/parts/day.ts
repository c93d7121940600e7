/** Give the day of an instant here, as `2026-01-31`; empty where there is none. */
export function dayOf(instant: string | null): string {
  if (!instant) return ''
  const at = new Date(instant)
  const two = (part: number) => String(part).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

/** Give the last second of a day here; null where none is written. */
export function endOfDay(day: string): string | null {
  const at = new Date(`${day}T23:59:59`)
  return Number.isNaN(at.getTime()) ? null : at.toISOString()
}
