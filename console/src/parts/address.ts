import { useNavigate, useSearch } from '@tanstack/react-router'
import type { Narrowed } from './Filters'

/** Keep a page's filters, sort and tab in its address. */
export function useAddress(): [Narrowed, (next: Narrowed) => void] {
  const search = useSearch({ strict: false }) as Narrowed
  const go = useNavigate()
  const set = (next: Narrowed) =>
    void go({
      to: '.',
      search: Object.fromEntries(Object.entries(next).filter(([, value]) => value)) as never,
      replace: true,
    })
  return [search, set]
}
