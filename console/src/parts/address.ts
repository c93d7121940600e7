import { useNavigate, useSearch } from '@tanstack/react-router'

/** Between the words of one filter in the address. */
export const BETWEEN = '\n'

/** Give the words that were typed into a filter without options. */
export const wordsOf = (value: string | undefined): string[] =>
  value ? value.split(BETWEEN).filter((word) => word.trim()) : []

export type Narrowed = Record<string, string | undefined>

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

/** Keep in the address whether something new is being made, so that links and the palette can begin it. */
export function useMaking(): [boolean, (making: boolean) => void] {
  const [address, setAddress] = useAddress()
  return [!!address.new, (making) => setAddress({ ...address, new: making ? 'true' : undefined })]
}
