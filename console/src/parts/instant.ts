import { useNavigate, useSearch } from '@tanstack/react-router'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How far back the slider reaches, and its step: about a thousand steps each. */
export const SPANS = {
  day: { length: DAY, step: MINUTE },
  week: { length: 7 * DAY, step: 10 * MINUTE },
  month: { length: 30 * DAY, step: HOUR },
  year: { length: 366 * DAY, step: 6 * HOUR },
} as const
export type SpanName = keyof typeof SPANS

/** Write an instant as the address and the API have it, to the second. */
export const instantOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** Give the shortest span that reaches an instant. */
export function spanTo(ms: number, now: number): SpanName {
  const names = Object.keys(SPANS) as SpanName[]
  return names.find((name) => now - ms < SPANS[name].length) ?? 'year'
}

/** Write an instant for a field of local date and time. */
export function localOf(ms: number): string {
  if (Number.isNaN(ms)) return ''
  return new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE).toISOString().slice(0, 16)
}

/** Give the instant that the address asks for, and change it; undefined is now. */
export function usePast(): { at: string | undefined; look: (at: string | undefined) => void } {
  const { at } = useSearch({ strict: false }) as { at?: string }
  const go = useNavigate()
  const look = (next: string | undefined) =>
    void go({
      to: '.',
      search: ((before: Record<string, string>) => {
        const { at: _, ...rest } = before
        return next ? { ...rest, at: next } : rest
      }) as never,
      // Back leaves the past, not the last step of the slider.
      replace: at !== undefined && next !== undefined,
      resetScroll: false,
    })
  return { at, look }
}
