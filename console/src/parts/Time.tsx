import { Text, type TextProps, Tooltip } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { useFormat } from './format'

let now = Date.now()
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(listener: () => void) {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = Date.now()
    for (const tell of listeners) tell()
  }, 5_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** Give the clock, moved every five seconds for all who show it. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now)
}

/** What has just happened is now: clocks differ by moments, and ours moves in steps. */
const MOMENT_MS = 5_000

/** Show how long ago something was, the exact instant on hover. */
export function Time({ at, ...text }: { at: string | null | undefined } & TextProps) {
  const clock = useNow()
  const format = useFormat()
  if (!at) return <Text {...text}>–</Text>
  return (
    <Tooltip label={format.instant(at)}>
      <Text component="time" dateTime={at} display="inline-block" {...text}>
        {format.relative(at, Math.max(clock, Math.min(Date.parse(at), Date.now() + MOMENT_MS)))}
      </Text>
    </Tooltip>
  )
}
