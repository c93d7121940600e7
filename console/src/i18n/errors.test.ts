import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { da } from './da'
import { errors as daErrors } from './da/errors'
import { en } from './en'
import { errors as enErrors } from './en/errors'

/** What only commands on the server's machine, or its processes among themselves, are told. */
const NOT_HERE = [
  /^(command|data_directory|lab|lan|phone|ports|postgres|reload|root_key|secrets|settings)\./,
  /^(simulate|supervisor|tls|tracing)\./,
  /^audit\.(checkpoints|keys)_malformed$/,
  /^database\.(newer|not_running|too_old|unreachable)$/,
  /^(ledger\.partition|tasks\.task)_lost$/,
]

const page = readFileSync(new URL('../../../docs/api/errors.md', import.meta.url), 'utf8')
const codes = [...page.matchAll(/^## `(.+)`$/gm)].map(([, code]) => code ?? '')

const english = { ...en.errors, ...enErrors.errors }
const danish = { ...da.errors, ...daErrors.errors }

const wordsFor = (texts: object, code: string): unknown =>
  code
    .split('.')
    .reduce<unknown>((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], texts)

test.each([
  ['English', english],
  ['Danish', danish],
])('every failure that the console can meet has %s words', (_, texts) => {
  expect(codes.length).toBeGreaterThan(100)
  const met = codes.filter((code) => !NOT_HERE.some((one) => one.test(code)))
  expect(met.filter((code) => typeof wordsFor(texts, code) !== 'string')).toEqual([])
})

test('no words are left of a failure that is no more', () => {
  const own = ['unreachable', 'page_unknown', 'server_failed', 'invalid']
  const known = (texts: object, path = ''): string[] =>
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === 'string' ? [path + key] : known(value, `${path}${key}.`),
    )
  expect(known(english).filter((code) => !codes.includes(code) && !own.includes(code))).toEqual([])
})
