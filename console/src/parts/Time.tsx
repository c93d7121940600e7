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

/** Show how long ago something was, the exact instant on hover. */
export function Time({ at, ...text }: { at: string | null | undefined } & TextProps) {
  const clock = useNow()
  const format = useFormat()
  if (!at) return <Text {...text}>–</Text>
  return (
    <Tooltip label={format.instant(at)}>
      <Text component="time" dateTime={at} display="inline-block" {...text}>
        {format.relative(at, Math.max(clock, Date.now() - 5_000))}
      </Text>
    </Tooltip>
  )
}
