import { Anchor, Box, Group, Select, Skeleton, Stack, Text } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import type { MapItem } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { useAddress } from '@/parts/address'
import { Failure } from '@/parts/Failure'
import { useGo } from '@/parts/go'
import type { Pin } from '@/parts/MapCanvas'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import classes from './MapPage.module.css'
import { type Box as Bounds, type DeviceFilter, devicesOnMap } from './queries'

const Canvas = lazy(() => import('@/parts/MapCanvas'))

const WORLD: Bounds = { west: -180, south: -85, east: 180, north: 85 }
/** The finest grid the server lays over a box. */
const FINEST = 64

type Corners = [[number, number], [number, number]]

const keyOf = (item: MapItem) => item.device?.id ?? item.location.coordinates.join()

/** Where the devices are. */
export function MapPage() {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const go = useGo()
  const narrow = useMediaQuery('(max-width: 62em)')
  const [address, setAddress] = useAddress()
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const [view, setView] = useState<Bounds | null>(null)
  const [near, setNear] = useState<Corners | null>(null)
  const cells = narrow ? 6 : 12
  const { at, applicationId } = address
  const filter = { organizationId, applicationId, at }
  // The map stays where it is while time goes by.
  const [first] = useState(at)
  const all = useQuery({
    queryKey: ['devices', 'map', 'all', organizationId, applicationId, first],
    queryFn: () => whereTheyAre({ organizationId, applicationId, at: first }),
    staleTime: 60_000,
  })
  const found = useQuery({
    queryKey: ['devices', 'map', view, filter, narrow],
    queryFn: () => devicesOnMap(view ?? WORLD, filter, cells),
    enabled: view !== null,
    refetchInterval: at ? false : 10_000,
    placeholderData: keepPreviousData,
  })
  const items = found.data ?? []
  const pins = useMemo(
    (): Pin[] =>
      (found.data ?? []).map((item) => ({
        key: keyOf(item),
        longitude: item.location.coordinates[0] ?? 0,
        latitude: item.location.coordinates[1] ?? 0,
        element: pin(item, t('map.cluster', { count: item.count, silent: item.silent }), () => {
          if (item.device?.id) go(`/devices/${item.device.id}${queryString({ at })}`)
          else if (view) setNear(cellOf(item, view, cells))
        }),
      })),
    [found.data, go, t, view, cells, at],
  )
  const fit = near ?? all.data ?? undefined
  const shown = items.reduce((sum, item) => sum + item.count, 0)
  const bbox = view
    ? [view.west, view.south, view.east, view.north].map((n) => n.toFixed(4)).join(',')
    : '-180,-85,180,85'
  return (
    <Page
      title={t('places.map')}
      past
      calls={[{ path: '/api/v1/devices/map', query: { bbox, ...filter } }]}
      action={
        <Select
          aria-label={t('fields.application')}
          placeholder={t('map.everyApplication')}
          clearable
          searchable
          w={220}
          data={applications.map((a) => ({ value: a.id, label: a.name }))}
          value={address.applicationId ?? null}
          onChange={(next) => {
            setNear(null)
            setAddress({ applicationId: next ?? undefined })
          }}
        />
      }
    >
      {found.error && !found.data ? (
        <Failure of={found.error} retry={() => void found.refetch()} />
      ) : (
        <div className={classes.split}>
          <Box className={classes.map}>
            <Suspense fallback={<Skeleton height="100%" />}>
              <Canvas
                label={t('places.map')}
                height={narrow ? 380 : 'calc(100dvh - 170px)'}
                pins={pins}
                fit={fit}
                onView={setView}
              />
            </Suspense>
          </Box>
          <Panel
            title={found.data ? t('map.inView', { count: shown }) : t('places.devices')}
            action={
              view &&
              shown > 0 && (
                <Anchor
                  component={Link}
                  to="/devices"
                  search={{ bbox, ...(applicationId && { applicationId }), ...(at && { at }) } as never}
                  size="sm"
                >
                  {t('map.asList')}
                </Anchor>
              )
            }
          >
            <Stack gap={2} className={classes.side} tabIndex={0} role="list">
              {items
                .toSorted((a, b) => b.silent - a.silent || b.count - a.count)
                .slice(0, 200)
                .map((item) => (
                  <Group
                    key={keyOf(item)}
                    justify="space-between"
                    wrap="nowrap"
                    className={classes.row}
                    role="listitem"
                  >
                    {item.device?.id ? (
                      <>
                        <Anchor
                          component={Link}
                          to={`/devices/${item.device.id}`}
                          search={(at ? { at } : {}) as never}
                          truncate
                        >
                          {item.device.name}
                        </Anchor>
                        <Status tone={item.silent ? 'warning' : 'good'}>
                          {t(item.silent ? 'connectivity.silent' : 'map.well')}
                        </Status>
                      </>
                    ) : (
                      <>
                        <Anchor component="button" onClick={() => view && setNear(cellOf(item, view, cells))}>
                          {t('map.devices', { count: item.count })}
                        </Anchor>
                        {item.silent > 0 && (
                          <Status tone="warning">{t('map.silent', { count: item.silent })}</Status>
                        )}
                      </>
                    )}
                  </Group>
                ))}
              {found.data && items.length === 0 && <Text c="dimmed">{t('map.nothing')}</Text>}
            </Stack>
          </Panel>
        </div>
      )}
    </Page>
  )
}

/** Find the box around all devices: a coarse look at the world, then finer ones at what it showed. */
async function whereTheyAre(filter: DeviceFilter): Promise<Corners | null> {
  let items = await devicesOnMap(WORLD, filter, FINEST)
  let width = WORLD.east - WORLD.west
  for (let look = 0; look < 3; look += 1) {
    const found = boxOf(items)
    if (!found || items.length > 12) break
    const margin = width / FINEST
    const [[west, south], [east, north]] = found
    const box = {
      west: Math.max(-180, west - margin),
      south: Math.max(-90, south - margin),
      east: Math.min(180, east + margin),
      north: Math.min(90, north + margin),
    }
    width = box.east - box.west
    items = await devicesOnMap(box, filter, FINEST)
  }
  const found = boxOf(items)
  if (!found) return null
  // A cluster stands at the mean of its devices, some of which lie up to a cell further out.
  const cell = width / FINEST
  const [[west, south], [east, north]] = found
  return [
    [west - cell, south - cell],
    [east + cell, north + cell],
  ]
}

/** Give the box of the grid's cell in which a cluster lies, to look closer. */
export function cellOf(item: MapItem, view: Bounds, cells: number): Corners {
  const [longitude = 0, latitude = 0] = item.location.coordinates
  const width = (view.east - view.west) / cells / 1.5
  const height = (view.north - view.south) / cells / 1.5
  return [
    [longitude - width, latitude - height],
    [longitude + width, latitude + height],
  ]
}

/** Give the box around all items; undefined where there are none. */
export function boxOf(items: MapItem[]): Corners | undefined {
  if (items.length === 0) return undefined
  const lon = items.map((item) => item.location.coordinates[0] ?? 0)
  const lat = items.map((item) => item.location.coordinates[1] ?? 0)
  return [
    [Math.min(...lon), Math.min(...lat)],
    [Math.max(...lon), Math.max(...lat)],
  ]
}

function pin(item: MapItem, label: string, open: () => void): HTMLElement {
  const element = document.createElement('button')
  element.type = 'button'
  const one = item.device
  element.className = classes.pin ?? ''
  element.dataset.one = one ? 'true' : ''
  element.dataset.silent = item.silent > 0 ? 'true' : ''
  element.setAttribute('aria-label', one?.name ?? label)
  element.title = one?.name ?? label
  if (!one) {
    const size = 30 + Math.min(26, Math.log2(item.count) * 4)
    element.style.width = `${size}px`
    element.style.height = `${size}px`
    element.textContent = String(item.count)
  }
  element.addEventListener('click', open)
  return element
}
