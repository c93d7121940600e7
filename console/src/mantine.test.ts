import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const CORE = 'node_modules/@mantine/core'
const read = (path: string) => readFileSync(path, 'utf8')
const files = (directory: string, kind: RegExp) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => kind.test(name))
    .map((name) => join(directory, name))

/** The names taken from the library, types left out. */
function taken(source: string): string[] {
  const lists = [...source.matchAll(/import\s*\{([^}]*)\}\s*from\s*["']@mantine\/core["']/g)]
  return lists.flatMap(([, names]) => (names ?? '').split(',').map((name) => name.trim().split(' ')[0] ?? ''))
}

/** The library's modules below one of its modules. */
function below(path: string, seen: Set<string>) {
  if (seen.has(path) || !existsSync(path)) return
  seen.add(path)
  for (const [, next] of read(path).matchAll(/from "(\.[^"]+)"/g))
    below(join(dirname(path), next ?? ''), seen)
}

const classes = (text: string) => [...new Set(text.match(/\bm_[0-9a-f]+/g) ?? [])]

test('the styles of each component in use are loaded, and no others', () => {
  const index = read(`${CORE}/esm/index.mjs`)
  const sources = files('src', /\.tsx?$/)
  const modules = new Set<string>()
  for (const name of new Set(sources.flatMap((path) => taken(read(path))))) {
    const from = new RegExp(`\\{[^}]*\\b${name}\\b[^}]*\\} from "([^"]+)"`).exec(index)?.[1]
    if (from) below(join(`${CORE}/esm`, from), modules)
  }
  const used = new Set([...modules].flatMap((path) => classes(read(path))))
  const needed = files(`${CORE}/styles`, /(?<!layer)\.css$/)
    .filter((path) => classes(read(path)).some((name) => used.has(name)))
    .map((path) => path.replace(`${CORE}/styles/`, ''))
  const loaded = [...read('src/mantine.css').matchAll(/@mantine\/core\/styles\/([A-Z]\w+\.css)/g)].map(
    ([, name]) => name,
  )
  expect([...loaded].sort()).toEqual([...needed].sort())
})
