import { useNavigate, useSearch } from '@tanstack/react-router'
import type { Narrowed } from './Filters'

/** Keep a page's filters, sort and tab in its address; the time that is looked at stays. */
export function useAddress(): [Narrowed, (next: Narrowed) => void] {
  const search = useSearch({ strict: false }) as Narrowed
  const go = useNavigate()
  const set = (next: Narrowed) =>
    void go({
      to: '.',
      search: Object.fromEntries(
        Object.entries({ at: search.at, ...next }).filter(([, value]) => value),
      ) as never,
      replace: true,
    })
  return [search, set]
}
