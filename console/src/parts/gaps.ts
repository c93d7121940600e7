/** Break a line where points lie further apart than `gap` seconds (by default five usual distances). */
export function withGaps(
  times: number[],
  values: (number | null)[],
  gap?: number,
): [number[], (number | null)[]] {
  const limit = gap ?? usualDistance(times) * 5
  if (!Number.isFinite(limit) || limit <= 0) return [times, values]
  const t: number[] = []
  const v: (number | null)[] = []
  times.forEach((time, i) => {
    const before = times[i - 1]
    if (before !== undefined && time - before > limit) {
      t.push(before + (time - before) / 2)
      v.push(null)
    }
    t.push(time)
    v.push(values[i] ?? null)
  })
  return [t, v]
}

/** Give the median distance between neighbours; infinite for fewer than three points. */
export function usualDistance(times: number[]): number {
  if (times.length < 3) return Number.POSITIVE_INFINITY
  const distances = times.slice(1).map((time, i) => time - (times[i] ?? time))
  distances.sort((a, b) => a - b)
  return distances[Math.floor(distances.length / 2)] ?? Number.POSITIVE_INFINITY
}
