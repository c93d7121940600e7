import { expect, test } from 'vitest'
import { da } from './da'
import { apis as daApis } from './da/apis'
import { errors as daErrors } from './da/errors'
import { providers as daProviders } from './da/providers'
import { en } from './en'
import { apis as enApis } from './en/apis'
import { errors as enErrors } from './en/errors'
import { providers as enProviders } from './en/providers'

type Texts = { [key: string]: string | Texts }

function flat(texts: Texts, path = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value === 'string') found.set(path + key, value)
    else for (const [inner, text] of flat(value, `${path}${key}.`)) found.set(inner, text)
  }
  return found
}

const places = (text: string) => (text.match(/\{\{[^}]+\}\}|<\/?\w+>/g) ?? []).sort().join()

const english = new Map([en, enApis, enErrors, enProviders].flatMap((one) => [...flat(one as Texts)]))
const danish = new Map([da, daApis, daErrors, daProviders].flatMap((one) => [...flat(one as Texts)]))

test('both languages have the same keys', () => {
  expect([...danish.keys()].sort()).toEqual([...english.keys()].sort())
})

test('each text has the same places in both languages', () => {
  const odd = [...english].filter(([key, text]) => places(text) !== places(danish.get(key) ?? ''))
  expect(odd).toEqual([])
})

test('no text is empty', () => {
  expect([...english, ...danish].filter(([, text]) => !text.trim())).toEqual([])
})
