import { expect, test } from 'vitest'
import type { FeedMessage } from '@/api/feed'
import type { Latest, Me } from '@/api/types'
import { difference } from './audit/difference'
import { factWords } from './audit/words'
import { holds } from './auth/holds'
import { linkToken } from './auth/link'
import { withMessage } from './telemetry/latest'
import { unitText } from './telemetry/units'

const grants: Me['grants'] = [
  { organizationId: 'north', applicationIds: null, permissions: ['devices:read'] },
  { organizationId: null, applicationIds: null, permissions: ['audit:read'] },
]

test('a right counts where it is held, and everywhere for the whole installation', () => {
  expect(holds(grants, 'devices:read', 'north')).toBe(true)
  expect(holds(grants, 'devices:read', 'south')).toBe(false)
  expect(holds(grants, 'audit:read', 'south')).toBe(true)
  expect(holds(grants, 'devices:read')).toBe(true)
})

test('the token of a sign-in link is read from the fragment only', () => {
  expect(linkToken('#token=ml_1')).toBe('ml_1')
  expect(linkToken('')).toBeNull()
})

test('late values do not overwrite newer ones', () => {
  const latest: Latest[] = [{ series: 't', value: 5, at: '2026-01-01T12:00:00.000Z', unit: 'Cel' }]
  const message: FeedMessage = {
    position: '0:1',
    deviceId: 'd',
    messageId: 'm',
    at: '2026-01-01T11:00:00.000Z',
    receivedAt: '2026-01-01T12:00:01.000Z',
    channel: '',
    points: [{ at: '2026-01-01T11:00:00.000Z', values: { t: 1, h: 60 }, units: {} }],
    location: null,
    problem: null,
  }
  expect(withMessage(latest, message).map((one) => [one.series, one.value])).toEqual([
    ['t', 5],
    ['h', 60],
  ])
})

test('a change shows the fields that differ', () => {
  const before = { name: 'Lamp', tags: [], updated_at: '1' }
  expect(difference(before, { name: 'Lamp 1', tags: [], updated_at: '2' })).toEqual([
    ['name', 'Lamp', 'Lamp 1'],
  ])
})

test('names nobody translated are still words', () => {
  expect(factWords('devices.credential_made')).toBe('Credential made')
  expect(unitText('Cel')).toBe('°C')
  expect(unitText('[iU]')).toBe('iU')
})
