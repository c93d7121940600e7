import { expect, test } from 'vitest'
import { asDuration, splitDuration } from './duration'
import { changes, mergePatch } from './form'
import { durationSeconds, durationWords, relative } from './format'
import { withGaps } from './gaps'
import { asText, fromBase64, fromHex, toHex } from './hex'
import { instantOf, localOf, spanTo } from './instant'

test('durations are read, split and written', () => {
  expect(durationSeconds('P1DT2H30M')).toBe(95_400)
  expect(durationSeconds('P2W')).toBe(1_209_600)
  expect(durationSeconds('soon')).toBeNull()
  expect(splitDuration('PT7200S')).toEqual([2, 'hours'])
  expect(splitDuration('P730D')).toEqual([730, 'days'])
  expect(asDuration(5, 'minutes')).toBe('PT5M')
  expect(durationWords('PT90M', 'en-GB')).toBe('1 hour 30 minutes')
})

test('times are told in the words of the locale', () => {
  const now = Date.parse('2026-01-01T12:00:00Z')
  expect(relative('2026-01-01T11:58:00Z', now, 'da-DK')).toContain('2 min')
  expect(relative('2025-12-31T12:00:00Z', now, 'en-GB')).toBe('yesterday')
})

test('a line breaks where values are missing', () => {
  const [times, values] = withGaps([0, 10, 20, 200, 210], [1, 2, 3, 4, 5])
  expect(times).toEqual([0, 10, 20, 110, 200, 210])
  expect(values).toEqual([1, 2, 3, null, 4, 5])
})

test('bytes are read however people write them', () => {
  expect(toHex(fromHex('0x00 D5:05-3c') ?? new Uint8Array())).toBe('00 d5 05 3c')
  expect(fromHex('0d5')).toBeNull()
  expect(fromHex('zz')).toBeNull()
  expect(asText(fromBase64('eyJ0IjoxfQ=='))).toBe('{"t":1}')
  expect(asText(new Uint8Array([0, 213]))).toBeNull()
})

test('a patch holds only what changed, and removes what is gone', () => {
  expect(changes({ name: 'a', tags: ['x'] }, { name: 'a', tags: ['x', 'y'] })).toEqual({ tags: ['x', 'y'] })
  expect(mergePatch({ a: '1', b: '2' }, { b: '3' })).toEqual({ a: null, b: '3' })
  expect(mergePatch<unknown>({ a: { b: 1, c: [1] }, d: 1 }, { a: { c: [2] }, d: { e: 1 } })).toEqual({
    a: { b: null, c: [2] },
    d: { e: 1 },
  })
})

test('an instant is written for the address and for its field, and the slider reaches it', () => {
  const at = Date.parse('2026-11-22T12:34:56.789Z')
  expect(instantOf(at)).toBe('2026-11-22T12:34:56Z')
  expect(Date.parse(localOf(at))).toBe(Date.parse('2026-11-22T12:34:00Z'))
  expect(localOf(Number.NaN)).toBe('')
  const day = 86_400_000
  expect([0.5, 3, 20, 300, 500].map((days) => spanTo(at - days * day, at))).toEqual([
    'day',
    'week',
    'month',
    'year',
    'year',
  ])
})
