import { changeHeaders } from './client'
import { type Call, queryString } from './curl'

/** What a call that is tried out was answered. */
export interface Tried {
  status: number
  ms: number
  type: string
  text: string
  bytes: number
  /** Whether there was more. */
  cut: boolean
}

const MOST_BYTES = 200_000
const LONGEST_MS = 10_000

/** Ask as who is signed in; gives the beginning of the answer, whatever its status. */
export async function tryOut(call: Call, headers: Record<string, string> = {}): Promise<Tried> {
  const method = call.method ?? 'GET'
  const started = performance.now()
  const stop = new AbortController()
  const clock = setTimeout(() => stop.abort(), LONGEST_MS)
  try {
    const answer = await fetch(call.path + queryString(call.query), {
      method,
      signal: stop.signal,
      headers: {
        ...headers,
        ...(method !== 'GET' && changeHeaders()),
        ...(call.body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
    })
    const read = await beginning(answer)
    const type = answer.headers.get('Content-Type') ?? ''
    return { status: answer.status, ms: Math.round(performance.now() - started), type, ...read }
  } finally {
    clearTimeout(clock)
    stop.abort()
  }
}

async function beginning(answer: Response): Promise<Pick<Tried, 'text' | 'bytes' | 'cut'>> {
  const reader = answer.body?.getReader()
  const words = new TextDecoder()
  let text = ''
  let bytes = 0
  try {
    while (reader && bytes < MOST_BYTES) {
      const { done, value } = await reader.read()
      if (done) return { text: text + words.decode(), bytes, cut: false }
      text += words.decode(value, { stream: true })
      bytes += value.length
    }
  } catch (failure) {
    // A feed does not end by itself.
    if (!(failure instanceof DOMException && failure.name === 'AbortError')) throw failure
  }
  return { text, bytes, cut: reader !== undefined }
}
