import type { FeedMessage } from '@/api/feed'
import type { Latest } from '@/api/types'

/** Put a message's values over the latest ones known. */
export function withMessage(latest: Latest[], message: FeedMessage): Latest[] {
  const known = new Map(latest.map((one) => [one.series, one]))
  for (const point of message.points) {
    for (const [series, value] of Object.entries(point.values)) {
      const before = known.get(series)
      if (!before || before.at <= point.at) {
        known.set(series, { series, value, at: point.at, unit: point.units[series] ?? before?.unit ?? null })
      }
    }
  }
  return [...known.values()]
}
