import { expect, test } from 'vitest'
import type { Connection, Fact, Notice, Operation, StateChange } from '@/api/types'
import { photoFault } from './photo'
import { seenBetween } from './queries'
import { oneStream, type Past, wholeSince } from './timeline'

const NOTHING: Past = { states: [], connections: [], notices: [], operations: [], facts: [] }
const at = (minute: number) => `2026-01-01T12:${String(minute).padStart(2, '0')}:00.000Z`
const step = (minute: number, reason = '') =>
  ({ at: at(minute), state: 'maintenance', reason, by: 'u' }) as StateChange
const fact = (minute: number, name: string, after: object) =>
  ({ id: `f${minute}`, at: at(minute), name, after, before: null }) as unknown as Fact

test('all that happened stands in one stream, the newest first', () => {
  const stream = oneStream({
    states: [step(1)],
    connections: [
      { clientId: 'c', connectedAt: at(2), disconnectedAt: at(5), cause: 'lost' } as Connection,
      { clientId: 'd', connectedAt: at(8), disconnectedAt: null } as Connection,
    ],
    notices: [{ id: 'n', openedAt: at(3), acknowledgedAt: null, clearedAt: at(6) } as Notice],
    operations: [{ id: 'o', createdAt: at(4), finishedAt: at(7) } as Operation],
    facts: [fact(9, 'devices.changed', { name: 'Lamp' })],
  })
  expect(stream.map((one) => one.what)).toEqual([
    'fact',
    'connected',
    'commandEnded',
    'noticeCleared',
    'disconnected',
    'commandAsked',
    'noticeOpened',
    'connected',
    'state',
  ])
  expect(new Set(stream.map((one) => one.what + one.id)).size).toBe(stream.length)
})

test('a change of state is told once, with its reason, also to who may read the audit', () => {
  const states = [step(2, 'flooded'), step(1)]
  const facts = [
    fact(3, 'devices.changed', { name: 'Lamp' }),
    fact(2, 'devices.changed', { state: 'maintenance' }),
  ]
  expect(oneStream({ ...NOTHING, states, facts })).toMatchObject([
    { what: 'fact', at: at(3), reason: undefined },
    { what: 'fact', at: at(2), reason: 'flooded' },
    { what: 'state', at: at(1) },
  ])
})

test('facts about commands and notices do not repeat what these tell themselves', () => {
  const facts = [fact(1, 'operations.issued', {}), fact(2, 'notifications.notice_acknowledged', {})]
  expect(oneStream({ ...NOTHING, facts })).toEqual([])
})

test('the stream ends where a list that goes on might have something between', () => {
  expect(
    wholeSince([
      { oldest: at(5), more: true },
      { oldest: at(7), more: false },
      { oldest: at(6), more: true },
    ]),
  ).toBe(at(6))
  expect(wholeSince([{ oldest: at(5), more: false }])).toBe('')
  expect(oneStream({ ...NOTHING, states: [step(7), step(6), step(5)] }, at(6))).toHaveLength(2)
})

test('a file that the server would refuse as a photo is told before it is sent', () => {
  expect(photoFault({ type: 'image/png', size: 2_000_000 })).toBeNull()
  expect(photoFault({ type: 'image/png', size: 2_000_001 })).toBe('tooLarge')
  expect(photoFault({ type: 'image/heic', size: 5 })).toBe('wrongKind')
})

test('the last contact is asked for from now back, and not of the past', () => {
  const now = Date.parse('2026-03-02T12:00:00Z')
  expect(seenBetween({ seen: 'P1D' }, now)).toEqual({ lastSeenFrom: '2026-03-01T12:00:00.000Z' })
  expect(seenBetween({ seen: '-PT1H' }, now)).toEqual({ lastSeenTo: '2026-03-02T11:00:00.000Z' })
  expect(seenBetween({ seen: 'soon' }, now)).toEqual({})
  expect(seenBetween({ seen: 'P1D', at: '2026-01-01T00:00:00Z' }, now)).toEqual({})
})
