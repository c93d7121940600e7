import { useEffect, useRef, useState } from 'react'
import type { TracedPacket } from './types'

/** `time`: the quarter of an hour is up; `rights`: the right to see was taken away. */
export type TraceState = 'off' | 'connecting' | 'live' | 'lost' | 'time' | 'rights'

interface Begun {
  endsAt: string
  /** Whether payloads and values of properties are shown. */
  content: boolean
}

/** Watch the packets of a device while `on`; each time is a trace of its own, in the audit. */
export function useTrace(
  deviceId: string,
  on: boolean,
  heard: { packets: (packets: TracedPacket[]) => void; dropped: (count: number) => void },
): { state: TraceState; begun?: Begun } {
  const [state, setState] = useState<TraceState>('off')
  const [begun, setBegun] = useState<Begun>()
  const tell = useRef(heard)
  tell.current = heard
  useEffect(() => {
    if (!on) return
    setState('connecting')
    const source = new EventSource(`/api/v1/devices/${deviceId}/trace`)
    // Many come at once: they are shown together.
    let waiting: TracedPacket[] = []
    const timer = setInterval(() => {
      if (waiting.length === 0) return
      tell.current.packets(waiting)
      waiting = []
    }, 100)
    source.onerror = () => setState('lost')
    source.addEventListener('started', (event: MessageEvent<string>) => {
      setState('live')
      setBegun(JSON.parse(event.data) as Begun)
    })
    source.addEventListener('packet', (event: MessageEvent<string>) => {
      waiting.push(JSON.parse(event.data) as TracedPacket)
    })
    source.addEventListener('dropped', (event: MessageEvent<string>) => {
      tell.current.dropped((JSON.parse(event.data) as { count: number }).count)
    })
    source.addEventListener('ended', (event: MessageEvent<string>) => {
      source.close()
      setState((JSON.parse(event.data) as { reason: 'time' | 'rights' }).reason)
    })
    return () => {
      source.close()
      clearInterval(timer)
      if (waiting.length) tell.current.packets(waiting)
      setState('off')
    }
  }, [deviceId, on])
  return { state, begun }
}
