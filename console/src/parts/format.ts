import { useTranslation } from 'react-i18next'

const LOCALES: Record<string, string> = { en: 'en-GB', da: 'da-DK' }
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

/** Say how long ago or ahead an instant is, in words of the locale. */
export function relative(instant: string | number, now: number, locale: string): string {
  const seconds = Math.round((new Date(instant).getTime() - now) / 1000)
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit)
  }
  return words.format(0, 'second')
}

/** Write an ISO 8601 duration of days, hours, minutes and seconds in words of the locale. */
export function durationWords(iso: string, locale: string): string {
  const seconds = durationSeconds(iso)
  if (seconds === null) return iso
  const parts: string[] = []
  let rest = seconds
  for (const [unit, size] of STEPS.slice(2)) {
    const count = Math.floor(rest / size)
    if (count > 0) {
      parts.push(new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(count))
      rest -= count * size
    }
  }
  return parts.slice(0, 2).join(' ') || '0'
}

/** Read an ISO 8601 duration (weeks to seconds); null where it is none. */
export function durationSeconds(iso: string): number | null {
  const found = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(iso)
  if (!found || found.slice(1).every((part) => part === undefined)) return null
  const [weeks, days, hours, minutes, seconds] = found.slice(1).map((part) => Number(part ?? 0))
  return (
    (weeks ?? 0) * 604_800 +
    (days ?? 0) * 86_400 +
    (hours ?? 0) * 3_600 +
    (minutes ?? 0) * 60 +
    (seconds ?? 0)
  )
}

/** Write bytes in a readable size. */
export function byteSize(bytes: number, locale: string): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte']
  let size = bytes
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit += 1
  }
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: units[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: size < 10 && unit > 0 ? 1 : 0,
  }).format(size)
}

/** Give the formats of the language in use. */
export function useFormat() {
  const { i18n } = useTranslation()
  const locale = LOCALES[i18n.language] ?? 'en-GB'
  return {
    locale,
    instant: (at: string | number | Date, seconds = true) =>
      new Intl.DateTimeFormat(locale, {
        dateStyle: 'medium',
        timeStyle: seconds ? 'medium' : 'short',
      }).format(new Date(at)),
    time: (at: string | number | Date) =>
      new Intl.DateTimeFormat(locale, { timeStyle: 'medium' }).format(new Date(at)),
    date: (at: string | number | Date) =>
      new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(new Date(at)),
    number: (value: number, digits = 3) =>
      new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value),
    bytes: (value: number) => byteSize(value, locale),
    duration: (iso: string) => durationWords(iso, locale),
    relative: (at: string | number, now: number) => relative(at, now, locale),
  }
}
