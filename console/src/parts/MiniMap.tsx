import { Skeleton } from '@mantine/core'
import { lazy, Suspense, useMemo } from 'react'
import classes from './MiniMap.module.css'

const Canvas = lazy(() => import('./MapCanvas'))

interface Props {
  longitude: number
  latitude: number
  label: string
}

/** Just too far away for the fine outlines (`NEAR` in ./baseMap), whose megabyte so small a map does not need. */
const ZOOM = 5

/** A small map with one place on it. */
export function MiniMap({ longitude, latitude, label }: Props) {
  const pins = useMemo(() => {
    const element = document.createElement('div')
    element.className = classes.here ?? ''
    return [{ key: 'here', longitude, latitude, element }]
  }, [longitude, latitude])
  const centre = useMemo((): [number, number] => [longitude, latitude], [longitude, latitude])
  return (
    <Suspense fallback={<Skeleton height={160} />}>
      <Canvas label={label} height={160} pins={pins} centre={centre} zoom={ZOOM} interactive={false} />
    </Suspense>
  )
}
