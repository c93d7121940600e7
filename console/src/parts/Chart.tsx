import { Skeleton } from '@mantine/core'
import { lazy, Suspense } from 'react'
import type { ChartProps } from './Plot'

const Plot = lazy(() => import('./Plot'))

/** A chart over time, loaded when first shown. */
export function Chart(props: ChartProps) {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? 220} />}>
      <Plot {...props} />
    </Suspense>
  )
}
