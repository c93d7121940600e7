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

/** Give the merge patch that turns one map into another: null removes a key. */
export function mergedMap(
  before: Record<string, string>,
  after: Record<string, string>,
): Record<string, string | null> {
  const gone = Object.keys(before).filter((key) => !(key in after))
  return { ...after, ...Object.fromEntries(gone.map((key) => [key, null])) }
}
