import { expect, test } from 'vitest'
import type { FeedMessage } from '@/api/feed'
import type { Latest, MapItem, Me, Message } from '@/api/types'
import { callsOf, type Document, filled } from './api_gateway/document'
import { difference } from './audit/difference'
import { factWords } from './audit/words'
import { holds, shares } from './auth/holds'
import { linkToken } from './auth/link'
import { asTrial } from './decoders/trials'
import { cellOf } from './devices/MapPage'
import { isUnknown, vitalsOf, withMessage } from './telemetry/latest'
import { boundsOf } from './telemetry/period'
import { unitText } from './telemetry/units'

const grants: Me['grants'] = [
  { organizationId: 'north', applicationIds: null, own: false, permissions: ['devices:read'] },
  { organizationId: null, applicationIds: null, own: false, permissions: ['audit:read'] },
]

test('a right counts where it is held, and everywhere for the whole installation', () => {
  expect(holds(grants, 'devices:read', 'north')).toBe(true)
  expect(holds(grants, 'devices:read', 'south')).toBe(false)
  expect(holds(grants, 'audit:read', 'south')).toBe(true)
  expect(holds(grants, 'devices:read')).toBe(true)
})

test('who manages an application and sees the people shares it, and nothing beside it', () => {
  const manager: Me['grants'] = [
    { organizationId: 'north', applicationIds: ['mine'], own: false, permissions: ['applications:manage'] },
    { organizationId: 'north', applicationIds: null, own: false, permissions: ['users:read'] },
  ]
  const group = {
    organizationId: 'north',
    everyApplication: false,
    addNewApplications: false,
    ownDevices: false,
    applicationIds: ['mine'],
  }
  expect(shares(manager, group)).toBe(true)
  expect(shares(manager.slice(0, 1), group)).toBe(false)
  for (const beyond of [
    { organizationId: 'south' },
    { organizationId: null },
    { everyApplication: true },
    { addNewApplications: true },
    { ownDevices: true },
    { applicationIds: [] },
    { applicationIds: ['mine', 'theirs'] },
  ])
    expect(shares(manager, { ...group, ...beyond })).toBe(false)
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

test('a period goes back from now, or lies between two local times', () => {
  const now = Date.parse('2026-01-02T12:00:00Z')
  expect(boundsOf({ period: 'hour' }, now)).toEqual({ from: '2026-01-02T11:00:00.000Z' })
  expect(boundsOf({}, now)).toEqual({})
  const from = '2026-01-01T10:00'
  expect(boundsOf({ period: 'between', from, to: 'soon' }, now)).toEqual({
    from: new Date(from).toISOString(),
  })
  expect(boundsOf({ from }, now)).toEqual({})
})

test('bytes of which nothing was made are unknown; text and values are not', () => {
  const message = { payload: 'AQ==', text: null, values: {} } as unknown as Message
  expect(isUnknown(message)).toBe(true)
  expect(isUnknown({ ...message, values: { t: 1 } })).toBe(false)
  expect(isUnknown({ ...message, text: 'on' })).toBe(false)
  expect(isUnknown({ ...message, payload: null })).toBe(false)
})

test('a kept message is tried with its port', () => {
  const message = {
    payload: 'AQ==',
    contentType: null,
    receivedAt: '2026-01-01T00:00:00Z',
    meta: { port: 5 },
  } as unknown as Message
  expect(asTrial(message)).toEqual({
    payload: 'AQ==',
    encoding: 'base64',
    receivedAt: '2026-01-01T00:00:00Z',
    port: 5,
  })
})

test('a closer look at a cluster keeps it in the middle', () => {
  const item = {
    location: { coordinates: [10, 56] },
    count: 3,
    silent: 0,
    device: null,
  } as unknown as MapItem
  const [[west, south], [east, north]] = cellOf(item, { west: 0, south: 50, east: 18, north: 68 }, 12)
  expect([(west + east) / 2, (south + north) / 2]).toEqual([10, 56])
  expect([east - west, north - south]).toEqual([2, 2])
})

test('a device is told by its limited and newest numbers, its battery and its signal', () => {
  const value = (series: string, at: string, value: number | string = 1): Latest => ({
    series,
    value,
    at: `2026-01-01T${at}:00.000Z`,
    unit: null,
  })
  const latest = [
    value('battery_v', '12:00'),
    value('humidity', '12:00'),
    value('linkRssi', '12:00'),
    value('mode', '12:00', 'auto'),
    value('noise', '11:00'),
    value('temperature', '10:00'),
  ]
  const told = vitalsOf(latest, ['temperature'])
  expect(told.values.map((one) => one.series)).toEqual(['temperature', 'humidity', 'noise'])
  expect([told.battery?.series, told.signal?.series]).toEqual(['battery_v', 'linkRssi'])
  expect(vitalsOf([], [])).toEqual({ values: [], battery: undefined, signal: undefined })
})

test('a call that is tried begins with what it needs, and what is typed stays in its place', () => {
  const document: Document = {
    paths: {
      '/api/v1/plans/{plan_id}': {
        patch: {
          operationId: 'changePlan',
          summary: 'Change Plan',
          parameters: [
            { name: 'plan_id', in: 'path', required: true },
            { name: 'If-Match', in: 'header' },
          ],
          requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Body' } } } },
        },
      },
    },
    components: {
      schemas: {
        Body: {
          properties: {
            name: { type: 'string' },
            burst: { type: 'integer', minimum: 2 },
            parts: { type: 'array', items: { $ref: '#/components/schemas/Body' } },
            comment: { type: 'string' },
            of: { anyOf: [{ type: 'null' }, { enum: ['a', 'b'] }] },
          },
          required: ['name', 'burst', 'parts', 'of'],
        },
      },
    },
  }
  const [call] = callsOf(document)
  expect(call?.asked.map((one) => one.name)).toEqual(['plan_id'])
  expect(JSON.parse(call?.sample ?? '')).toEqual({ name: '', burst: 2, parts: [], of: 'a' })
  expect(filled('/plans/{plan_id}/x', { plan_id: '../y?z=1' })).toBe('/plans/..%2Fy%3Fz%3D1/x')
})
