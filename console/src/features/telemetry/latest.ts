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

/** Names of what a device says of itself, as words of a series' name: battery_v, rssi_dbm, linkSnr. */
const BATTERY = /(^|_)(battery|batt?|vbat)(_|$)/
const SIGNAL = /(^|_)(rssi|snr|rsrp|signal)(_|$)/

/**
 * Give what matters of a device at a glance: its measured values, those with a limit first, then numbers, then the newest;
 * and its battery and signal, where it tells of them.
 */
export function vitalsOf(latest: Latest[], limited: string[], most = 3) {
  const named = latest.map((one) => ({
    one,
    name: one.series.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase(),
  }))
  const rank = (one: Latest) => (limited.includes(one.series) ? 2 : typeof one.value === 'number' ? 1 : 0)
  return {
    values: named
      .filter(({ name }) => !BATTERY.test(name) && !SIGNAL.test(name))
      .map(({ one }) => one)
      .sort((a, b) => rank(b) - rank(a) || b.at.localeCompare(a.at))
      .slice(0, most),
    battery: named.find(({ name }) => BATTERY.test(name))?.one,
    signal: named.find(({ name }) => SIGNAL.test(name))?.one,
  }
}
