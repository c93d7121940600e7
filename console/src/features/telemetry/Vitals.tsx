import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Device, Latest } from '@/api/types'
import { Time } from '@/parts/Time'
import { useValueText, type Value } from './LatestValues'
import { vitalsOf } from './latest'
import { latestQuery } from './queries'
import { unitText } from './units'
import classes from './Vitals.module.css'

/** The numbers that matter of a device: newest values, last contact, battery, signal. */
export function Vitals({ device, at }: { device: Device; at?: string }) {
  const { t } = useTranslation()
  const known = useQuery({ ...latestQuery(device.id, at), refetchInterval: at ? false : 15_000 }).data
  const limited = device.thresholds.map((one) => one.series)
  const { values, battery, signal } = vitalsOf(known?.latest ?? [], limited)
  return (
    <dl className={classes.vitals}>
      {values.map((one) => (
        <Vital key={one.series} label={one.series} value={one} />
      ))}
      {!at && (
        <div>
          <dt>{t('fields.lastSeenAt')}</dt>
          <dd>
            <Time at={device.lastSeenAt} span fz="inherit" />
          </dd>
        </div>
      )}
      {battery && <Vital label={t('devices.battery')} value={battery} />}
      {signal && <Vital label={t('devices.signal')} value={signal} />}
    </dl>
  )
}

function Vital({ label, value }: { label: string; value: Latest }) {
  const text = useValueText()
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <b>{text(value.value as Value)}</b> {unitText(value.unit)}{' '}
        <Time at={value.at} span fz="xs" c="dimmed" />
      </dd>
    </div>
  )
}
