/** What a fact says of a thing at one moment. */
export type Fields = Record<string, unknown> | null | undefined

const HIDDEN = /^(id|(updated|created)(At|By|_at|_by))$/

const word = (value: unknown): string => {
  if (value === undefined || value === null || value === '') return '–'
  if (typeof value === 'string') return value
  const text = JSON.stringify(value)
  return text === '[]' || text === '{}' ? '–' : text
}

/** Give the fields that differ, with what stood there before and after. */
export function difference(before: Fields, after: Fields): [string, string, string][] {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
  return keys
    .filter((key) => !HIDDEN.test(key))
    .map((key): [string, string, string] => [key, word(before?.[key]), word(after?.[key])])
    .filter(([, from, to]) => from !== to)
}
