const LENGTH_MS: Record<string, number> = {
  quarter: 15 * 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

export interface Period {
  /** `quarter`, `hour` or `day` back from now, or `between`. */
  period?: string
  /** Local date and time, as a field writes it. */
  from?: string
  to?: string
}

/** Give the instants between which a period lies; a bound that is not given, or is none, is left out. */
export function boundsOf({ period, from, to }: Period, now: number): { from?: string; to?: string } {
  if (period === 'between') {
    const [first, last] = [instantOf(from), instantOf(to)]
    return { ...(first && { from: first }), ...(last && { to: last }) }
  }
  const length = LENGTH_MS[period ?? '']
  return length === undefined ? {} : { from: new Date(now - length).toISOString() }
}

function instantOf(text: string | undefined): string | undefined {
  const date = new Date(text ?? '')
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
