const KEPT = 'moorage.tiles'

/** Give the tile address that this browser was told to use; empty for the base map alone. */
export const tileUrl = () => localStorage.getItem(KEPT) ?? ''

/** Remember a tile address of the form `https://…/{z}/{x}/{y}.png`; empty for the base map alone. */
export function keepTileUrl(url: string) {
  if (url) localStorage.setItem(KEPT, url)
  else localStorage.removeItem(KEPT)
}
