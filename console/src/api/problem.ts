/** One wrong field, by JSON Pointer into the body. */
export interface FieldProblem {
  pointer: string
  detail: string
}

/** A failure as the server tells it (RFC 9457), or `unreachable` where there was no answer. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly fields: FieldProblem[] = [],
    readonly given: Record<string, unknown> = {},
  ) {
    super(detail)
  }

  static of(status: number, body: unknown): Problem {
    const told = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
    const code = typeof told.code === 'string' ? told.code : status >= 500 ? 'server_failed' : 'http_error'
    const detail = typeof told.detail === 'string' ? told.detail : `HTTP ${status}`
    const fields = Array.isArray(told.errors) ? (told.errors as FieldProblem[]) : []
    return new Problem(status, code, detail, fields, told)
  }

  static unreachable(): Problem {
    return new Problem(0, 'unreachable', 'The server does not answer.')
  }
}

/**
 * Turn the wrong fields into form errors: `/contacts/0/name` becomes `contacts.0.name`. A failure that
 * has a code of its own says it in `words`, beside the field it is about.
 */
export function formErrors(failure: unknown, words?: string): Record<string, string> {
  if (!(failure instanceof Problem)) return {}
  const own = ['invalid', 'field_invalid'].includes(failure.code) ? undefined : words
  return Object.fromEntries(
    failure.fields.map((f) => [f.pointer.replace(/^\//, '').replaceAll('/', '.'), own ?? f.detail]),
  )
}
