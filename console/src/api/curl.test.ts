import { expect, test } from 'vitest'
import { asCurl, queryString } from './curl'
import { formErrors, Problem } from './problem'

test('a query leaves out what is empty and repeats lists', () => {
  expect(queryString({ q: 'quay 4', state: ['active', 'lost'], tag: undefined, kind: '' })).toBe(
    '?q=quay+4&state=active&state=lost',
  )
})

test('a body survives the shell, apostrophes too', () => {
  const command = asCurl(
    { method: 'POST', path: '/api/v1/devices', body: { name: "Jens' lamp" } },
    'http://h',
  )
  expect(command).toContain("curl -X POST 'http://h/api/v1/devices'")
  expect(command).toContain(`-d '{"name":"Jens'\\'' lamp"}'`)
})

test('wrong fields become form errors', () => {
  const problem = Problem.of(422, {
    code: 'invalid',
    detail: 'Some fields are not right.',
    errors: [{ pointer: '/contacts/0/name', detail: 'is too short' }],
  })
  expect(formErrors(problem)).toEqual({ 'contacts.0.name': 'is too short' })
})

test('a refusal with words of its own says them beside its field', () => {
  const problem = Problem.of(409, {
    code: 'users.email_taken',
    detail: 'There is already a user with this address.',
    errors: [{ pointer: '/email', detail: 'There is already a user with this address.' }],
  })
  expect(formErrors(problem, 'Adressen er i brug.')).toEqual({ email: 'Adressen er i brug.' })
})

test('an answer without a code is still a problem', () => {
  expect(Problem.of(502, '<html>').code).toBe('server_failed')
})
