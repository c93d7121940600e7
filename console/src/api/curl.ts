/** One REST call that a page makes. */
export interface Call {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  path: string
  query?: Record<string, unknown>
  body?: unknown
}

/** Write a query string; what is empty is left out, lists repeat their name. */
export function queryString(query: Record<string, unknown> = {}): string {
  const parts = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '') parts.append(name, String(one))
    }
  }
  const text = parts.toString()
  return text ? `?${text}` : ''
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** Write a call as a curl command that runs in a shell with an API key in `MOORAGE_KEY`. */
export function asCurl(call: Call, origin: string): string {
  const lines = [`curl ${quoted(origin + call.path + queryString(call.query))}`]
  if (call.method && call.method !== 'GET')
    lines[0] = lines[0]?.replace('curl', `curl -X ${call.method}`) ?? ''
  lines.push(`-H "X-API-KEY: $MOORAGE_KEY"`)
  if (call.body !== undefined) {
    lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(call.body))}`)
  }
  return lines.join(' \\\n  ')
}
