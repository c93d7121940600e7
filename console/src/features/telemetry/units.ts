/** UCUM codes that people write otherwise. */
const WRITTEN: Record<string, string> = {
  Cel: '°C',
  '[degF]': '°F',
  K: 'K',
  '%': '%',
  deg: '°',
  m3: 'm³',
  'm3/h': 'm³/h',
  'kW.h': 'kWh',
  'W.h': 'Wh',
  '[ppm]': 'ppm',
  '[pH]': 'pH',
  'ug/m3': 'µg/m³',
  'm/s': 'm/s',
  'dB{mW}': 'dBm',
  'dB[mW]': 'dBm',
  '{index}': '',
  Ohm: 'Ω',
  'uS/cm': 'µS/cm',
  '1': '',
  lx: 'lx',
}

/** Write a UCUM code as people do. */
export function unitText(code: string | null | undefined): string {
  if (!code) return ''
  return WRITTEN[code] ?? code.replace(/[[\]{}]/g, '')
}
