import createClient, { type Middleware } from 'openapi-fetch'
import { loadFailures } from '@/i18n'
import { Problem } from './problem'
import type { paths } from './schema'

let csrfToken: string | null = null
let onSignedOut: () => void = () => {}

/** Keep the token that every changing request carries; `GET /auth/me` gives it. */
export function keepCsrfToken(token: string | null) {
  csrfToken = token
}

/** Tell whom to call when the server no longer knows us. */
export function whenSignedOut(act: () => void) {
  onSignedOut = act
}

/** Give the headers of a changing request made outside the typed client. */
export function changeHeaders(): Record<string, string> {
  return csrfToken ? { 'X-CSRF-Token': csrfToken } : {}
}

const guard: Middleware = {
  onRequest({ request }) {
    if (request.method !== 'GET' && csrfToken) request.headers.set('X-CSRF-Token', csrfToken)
    return request
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && !schemaPath.startsWith('/api/v1/auth/')) onSignedOut()
  },
}

export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin' })
api.use(guard)

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** Give the answer's body. Throws Problem. */
export async function ok<T>(asked: Promise<Answer<T>>): Promise<T> {
  return (await answered(asked)).data as T
}

/** Give the answer's body with its ETag. Throws Problem. */
export async function tagged<T>(asked: Promise<Answer<T>>): Promise<T & { etag: string | null }> {
  const { data, response } = await answered(asked)
  return { ...(data as T), etag: response.headers.get('ETag') }
}

async function answered<T>(asked: Promise<Answer<T>>): Promise<Answer<T>> {
  let answer: Answer<T>
  try {
    answer = await asked
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === 'AbortError') throw failure
    throw Problem.unreachable()
  }
  if (!answer.response.ok) {
    await loadFailures()
    throw Problem.of(answer.response.status, answer.error)
  }
  return answer
}

/** Make the header that refuses a change of what somebody else changed since it was read. */
export function ifMatch(etag: string | null): Record<string, string> {
  return etag ? { 'If-Match': etag } : {}
}
