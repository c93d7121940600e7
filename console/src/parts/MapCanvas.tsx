import { useComputedColorScheme } from '@mantine/core'
import * as maplibre from 'maplibre-gl'
import 'maplibre-gl/dist/maplibre-gl.css'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url'
import { useEffect, useRef } from 'react'
import { baseMap, refineWhenNear, withTiles } from './baseMap'
import { tileUrl } from './tiles'

maplibre.setWorkerUrl(workerUrl)

export interface Pin {
  key: string
  longitude: number
  latitude: number
  element: HTMLElement
}

export interface MapProps {
  label: string
  height: number | string
  pins: Pin[]
  centre?: [number, number]
  zoom?: number
  interactive?: boolean
  /** The part shown, whenever it changed. */
  onView?: (box: { west: number; south: number; east: number; north: number }) => void
  /** The box to show once, when it becomes known. */
  fit?: [[number, number], [number, number]]
}

/** MapLibre over the base map that ships with the console. */
export default function MapCanvas(props: MapProps) {
  const { label, height, pins, centre = [10, 56], zoom = 4, interactive = true, onView, fit } = props
  const scheme = useComputedColorScheme('light')
  const host = useRef<HTMLDivElement>(null)
  const map = useRef<maplibre.Map | null>(null)
  const tell = useRef(onView)
  tell.current = onView

  // A map is made once; what it shows follows below.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above.
  useEffect(() => {
    if (!host.current) return
    const made = new maplibre.Map({
      container: host.current,
      center: centre,
      zoom,
      interactive,
      attributionControl: false,
      maxZoom: 18,
      style: { version: 8, sources: {}, layers: [] },
      dragRotate: false,
      pitchWithRotate: false,
    })
    made.touchZoomRotate.disableRotation()
    if (interactive) made.addControl(new maplibre.NavigationControl({ showCompass: false }), 'top-right')
    const say = () => {
      const bounds = made.getBounds()
      tell.current?.({
        west: Math.max(-180, bounds.getWest()),
        south: Math.max(-90, bounds.getSouth()),
        east: Math.min(180, bounds.getEast()),
        north: Math.min(90, bounds.getNorth()),
      })
    }
    made.on('moveend', say)
    made.once('load', say)
    map.current = made
    return () => {
      map.current = null
      made.remove()
    }
  }, [])

  useEffect(() => {
    let current = true
    void baseMap(scheme).then((style) => {
      const shown = map.current
      if (!current || !shown) return
      // The empty style of before may still be loading, and then cannot be compared.
      shown.setStyle(withTiles(style, tileUrl()), { diff: false })
      shown.once('styledata', () => refineWhenNear(shown))
    })
    return () => {
      current = false
    }
  }, [scheme])

  useEffect(() => {
    const shown = map.current
    if (!shown) return
    const markers = pins.map((pin) =>
      new maplibre.Marker({ element: pin.element }).setLngLat([pin.longitude, pin.latitude]).addTo(shown),
    )
    return () => {
      for (const marker of markers) marker.remove()
    }
  }, [pins])

  const [first, second] = fit ?? []
  const box = fit ? fit.flat().join() : ''
  // biome-ignore lint/correctness/useExhaustiveDependencies: the box is compared by its numbers.
  useEffect(() => {
    if (!first || !second || !map.current) return
    const { clientWidth, clientHeight } = map.current.getContainer()
    // A small canvas, as while a page is laid out, has no room for all of it.
    const padding = Math.min(60, Math.min(clientWidth, clientHeight) / 4)
    map.current.fitBounds([first, second], { padding, maxZoom: 18, duration: 0 })
  }, [box])

  useEffect(() => {
    if (!interactive) map.current?.jumpTo({ center: centre })
  }, [interactive, centre])

  return (
    <section
      ref={host}
      aria-label={label}
      style={{ height, width: '100%', borderRadius: 'var(--mantine-radius-md)', overflow: 'hidden' }}
    />
  )
}
