/** A flat message: what this browser can tell of the thing it runs on. */
export type Sensed = Record<string, number | string | boolean>

interface Battery extends EventTarget {
  level: number
  charging: boolean
}
interface Connection extends EventTarget {
  effectiveType?: string
  downlink?: number
}
type Told = Navigator & { getBattery?: () => Promise<Battery>; connection?: Connection }
type Asked = typeof DeviceOrientationEvent & { requestPermission?: () => Promise<'granted' | 'denied'> }

const round = (value: number, places = 1) => Number(value.toFixed(places))

/** What can be read at once, without asking anybody. */
export function atOnce(): Sensed {
  const told = navigator as Told
  const found: Sensed = {
    screenWidth: window.screen.width,
    screenHeight: window.screen.height,
    turned: window.screen.orientation?.angle ?? 0,
    online: navigator.onLine,
  }
  if (told.connection?.effectiveType) found.network = told.connection.effectiveType
  if (told.connection?.downlink !== undefined) found.downlinkMbit = told.connection.downlink
  return found
}

/** Follow the battery; calls back with every change, never where the browser keeps it to itself. */
export async function followBattery(tell: (sensed: Sensed) => void): Promise<void> {
  const battery = await (navigator as Told).getBattery?.().catch(() => undefined)
  if (!battery) return
  const say = () => tell({ battery: Math.round(battery.level * 100), charging: battery.charging })
  say()
  battery.addEventListener('levelchange', say)
  battery.addEventListener('chargingchange', say)
}

/** Whether browsers give motion and position on this page at all: only over https or on the machine itself. */
export const sensorsAllowed = () => window.isSecureContext

/** Follow how the phone is held and moved; asks the person where the browser wants that. */
export async function followMotion(tell: (sensed: Sensed) => void): Promise<boolean> {
  if (!('DeviceOrientationEvent' in window)) return false
  const ask = (DeviceOrientationEvent as Asked).requestPermission
  if (ask && (await ask().catch(() => 'denied')) !== 'granted') return false
  window.addEventListener('deviceorientation', ({ alpha, beta, gamma }) => {
    if (alpha === null || beta === null || gamma === null) return
    tell({ heading: round(alpha), tiltFront: round(beta), tiltSide: round(gamma) })
  })
  window.addEventListener('devicemotion', ({ accelerationIncludingGravity: a }) => {
    if (!a || a.x === null || a.y === null || a.z === null) return
    tell({ acceleration: round(Math.hypot(a.x, a.y, a.z), 2) })
  })
  return true
}

/** Follow where the phone is, once the person allows it. */
export function followPlace(tell: (sensed: Sensed) => void, refused: () => void) {
  navigator.geolocation.watchPosition(
    ({ coords }) =>
      tell({
        latitude: coords.latitude,
        longitude: coords.longitude,
        accuracy: round(coords.accuracy),
        ...(coords.altitude === null ? {} : { altitude: round(coords.altitude) }),
      }),
    refused,
    { enableHighAccuracy: true },
  )
}
