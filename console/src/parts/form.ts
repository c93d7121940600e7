import type { UseFormReturnType } from '@mantine/form'
import { formErrors } from '@/api/problem'
import { failureText } from '@/i18n'

/** Put the server's findings beside the fields they are about. */
// biome-ignore lint/suspicious/noExplicitAny: any form will do.
export function showProblems(form: UseFormReturnType<any>, failure: unknown) {
  form.setErrors(formErrors(failure, failureText(failure)))
}

/** Give only what differs from what was there: the members of a merge patch. */
export function changes<T extends object>(before: T, after: T): Partial<T> {
  const keys = Object.keys(after) as (keyof T)[]
  return Object.fromEntries(
    keys
      .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
      .map((key) => [key, after[key]]),
  ) as Partial<T>
}

/** Give the merge patch that turns one object into another: null removes a member (RFC 7396). */
export function mergePatch<V>(before: Record<string, V>, after: Record<string, V>): Record<string, V | null> {
  const kept = Object.entries(after).map(([key, value]) => [
    key,
    isObject(value) ? mergePatch(asObject(before[key]), value) : value,
  ])
  const gone = Object.keys(before).filter((key) => after[key] === undefined)
  return { ...Object.fromEntries(kept), ...Object.fromEntries(gone.map((key) => [key, null])) }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const asObject = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {})
