import { useEffect, useRef, useState } from 'react'
import { queryString } from './curl'

/** What the live feed says of one message. */
export interface FeedMessage {
  position: string
  deviceId: string
  messageId: string
  at: string
  receivedAt: string
  channel: string
  /** The readings, by instant. */
  points: { at: string; values: Record<string, number | boolean | string>; units: Record<string, string> }[]
  location: { coordinates: number[] } | null
  problem: string | null
}

/** `ended`: the right to follow was taken away; `lost`: no connection, the browser tries again. */
export type FeedState = 'connecting' | 'live' | 'paused' | 'lost' | 'ended'

/** Follow the live feed of a device or application; the browser resumes it by Last-Event-ID. */
export function useFeed(
  of: { deviceId?: string; applicationId?: string },
  onMessage: (message: FeedMessage) => void,
  paused = false,
): FeedState {
  const [state, setState] = useState<FeedState>('connecting')
  const tell = useRef(onMessage)
  tell.current = onMessage
  const query = queryString(of)
  useEffect(() => {
    if (paused) {
      setState('paused')
      return
    }
    setState('connecting')
    const source = new EventSource(`/api/v1/feed${query}`)
    source.onopen = () => setState('live')
    source.onerror = () => setState('lost')
    source.addEventListener('message', (event: MessageEvent<string>) => {
      setState('live')
      tell.current(JSON.parse(event.data) as FeedMessage)
    })
    source.addEventListener('ended', () => {
      source.close()
      setState('ended')
    })
    return () => source.close()
  }, [query, paused])
  return state
}
