import { type QueryKey, useInfiniteQuery } from '@tanstack/react-query'
import { useMemo } from 'react'

/** One page of a list as the server gives it. */
export interface ListPage<T> {
  items: T[]
  next?: string | null
  total?: number | null
  /** Of a time gone by: how many there were that have been removed since. */
  removed?: number | null
}

/** A list that grows as one scrolls. */
export interface Growing<T> {
  items: T[]
  total: number | null
  removed: number
  isPending: boolean
  isGrowing: boolean
  error: unknown
  more: (() => void) | null
  again: () => void
}

/** Read a list page by page. */
export function usePages<T>(
  key: QueryKey,
  read: (after: string | undefined) => Promise<ListPage<T>>,
  options: { enabled?: boolean; refetchInterval?: number | false } = {},
): Growing<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: (before) => before,
    ...options,
  })
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data])
  return {
    items,
    total: query.data?.pages[0]?.total ?? null,
    removed: query.data?.pages[0]?.removed ?? 0,
    isPending: query.isPending && query.fetchStatus !== 'idle',
    isGrowing: query.isFetchingNextPage,
    error: query.isError && items.length === 0 ? query.error : null,
    more: query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : null,
    again: () => void query.refetch(),
  }
}
