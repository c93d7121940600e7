import type { GeoJSON } from 'geojson'
import type { GeoJSONSource, Map as Map_, StyleSpecification } from 'maplibre-gl'
import { feature, mesh } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'
import fineUrl from 'world-atlas/countries-10m.json?url'
import coarseUrl from 'world-atlas/countries-50m.json?url'

interface Countries extends Topology {
  objects: { countries: GeometryCollection; land: GeometryCollection }
}

const COLOURS = {
  light: { sea: '#dce8f1', land: '#f7f6f2', edge: '#c3ccd4', coast: '#a9bccb' },
  dark: { sea: '#0f1a25', land: '#1f2a35', edge: '#3a4855', coast: '#4a5b6b' },
}

const loaded = new Map<string, Promise<{ land: GeoJSON; borders: GeoJSON }>>()

async function load(url: string): Promise<{ land: GeoJSON; borders: GeoJSON }> {
  const answer = await fetch(url)
  const world = (await answer.json()) as Countries
  const borders = mesh(world, world.objects.countries as never, (a, b) => a !== b)
  return {
    land: feature(world, world.objects.land),
    borders: { type: 'Feature', geometry: borders, properties: {} },
  }
}

function outlines(url: string) {
  const known = loaded.get(url) ?? load(url)
  loaded.set(url, known)
  return known
}

/** Zoom from which on the fine outlines are worth their megabytes. */
const NEAR = 6

/** Exchange the outlines for finer ones once somebody looks closely. */
export function refineWhenNear(map: Map_) {
  const refine = async () => {
    if (map.getZoom() < NEAR) return
    map.off('moveend', refine)
    const fine = await outlines(fineUrl)
    for (const name of ['land', 'borders'] as const) {
      map.getSource<GeoJSONSource>(name)?.setData(fine[name])
    }
  }
  map.on('moveend', refine)
  void refine()
}

/** Make the light base map that ships with the console (Natural Earth, 1:50 million). */
export async function baseMap(scheme: 'light' | 'dark'): Promise<StyleSpecification> {
  const { land, borders } = await outlines(coarseUrl)
  const colours = COLOURS[scheme]
  return {
    version: 8,
    sources: {
      land: { type: 'geojson', data: land, tolerance: 0.2 },
      borders: { type: 'geojson', data: borders },
    },
    layers: [
      { id: 'sea', type: 'background', paint: { 'background-color': colours.sea } },
      { id: 'land', type: 'fill', source: 'land', paint: { 'fill-color': colours.land } },
      {
        id: 'coast',
        type: 'line',
        source: 'land',
        paint: { 'line-color': colours.coast, 'line-width': 0.8 },
      },
      {
        id: 'borders',
        type: 'line',
        source: 'borders',
        paint: { 'line-color': colours.edge, 'line-width': 1, 'line-dasharray': [3, 2] },
      },
    ],
  }
}

/** Put the operator's tiles over the base map, if some are set. */
export function withTiles(style: StyleSpecification, url: string): StyleSpecification {
  if (!url) return style
  return {
    ...style,
    sources: { ...style.sources, tiles: { type: 'raster', tiles: [url], tileSize: 256 } },
    layers: [...style.layers, { id: 'tiles', type: 'raster', source: 'tiles' }],
  }
}
