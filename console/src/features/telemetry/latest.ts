import type { FeedMessage } from '@/api/feed'
import type { Latest, Message } from '@/api/types'

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

/** Whether anything was made of a message. */
export function isUnderstood(message: FeedMessage): boolean {
  return message.problem === null && (message.points.length > 0 || message.location !== null)
}

/** Whether a message is bytes of which nobody made anything. */
export function isUnknown(message: Message): boolean {
  return message.payload !== null && message.text === null && Object.keys(message.values).length === 0
}
