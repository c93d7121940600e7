import type { StyleSpecification } from 'maplibre-gl'
import { feature, mesh } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'
import countriesUrl from 'world-atlas/countries-50m.json?url'

interface Countries extends Topology {
  objects: { countries: GeometryCollection; land: GeometryCollection }
}

const COLOURS = {
  light: { sea: '#dce8f1', land: '#f7f6f2', edge: '#c3ccd4', coast: '#a9bccb' },
  dark: { sea: '#0f1a25', land: '#1f2a35', edge: '#3a4855', coast: '#4a5b6b' },
}

let loaded: Promise<Countries> | undefined

/** Make the light base map that ships with the console (Natural Earth, 1:50 million). */
export async function baseMap(scheme: 'light' | 'dark'): Promise<StyleSpecification> {
  loaded ??= fetch(countriesUrl).then((answer) => answer.json() as Promise<Countries>)
  const world = await loaded
  const colours = COLOURS[scheme]
  const borders = mesh(world, world.objects.countries as never, (a, b) => a !== b)
  return {
    version: 8,
    sources: {
      land: { type: 'geojson', data: feature(world, world.objects.land) },
      borders: { type: 'geojson', data: { type: 'Feature', geometry: borders, properties: {} } },
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
