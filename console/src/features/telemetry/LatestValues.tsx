import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Latest } from '@/api/types'
import { useFormat } from '@/parts/format'
import { Time } from '@/parts/Time'
import classes from './LatestValues.module.css'
import { unitText } from './units'

export type Value = number | boolean | string

/** Write a value in the language in use. */
export function useValueText() {
  const { t } = useTranslation()
  const format = useFormat()
  return (value: Value): string =>
    typeof value === 'number'
      ? format.number(value)
      : typeof value === 'boolean'
        ? value
          ? t('common.yes')
          : t('common.no')
        : value
}

interface Props {
  latest: Latest[]
  /** The series that changed just now. */
  fresh?: ReadonlySet<string>
  chosen?: string
  onChoose?: (series: string) => void
  /** Tell when each was measured, not how long ago that is. */
  exact?: boolean
}

/** The newest value of each series. */
export function LatestValues({ latest, fresh, chosen, onChoose, exact }: Props) {
  const text = useValueText()
  const format = useFormat()
  return (
    <ul className={classes.values}>
      {latest.map((one) => {
        const body = (
          <>
            <span className={classes.name}>{one.series}</span>
            <span className={classes.value} data-text={typeof one.value === 'string' || undefined}>
              {text(one.value as Value)} <small>{unitText(one.unit)}</small>
            </span>
            <Text span fz="xs" c="dimmed">
              {exact ? format.instant(one.at, false) : <Time at={one.at} span fz="xs" c="dimmed" />}
            </Text>
          </>
        )
        return (
          <li key={one.series} data-fresh={fresh?.has(one.series) || undefined}>
            {onChoose ? (
              <button type="button" aria-pressed={chosen === one.series} onClick={() => onChoose(one.series)}>
                {body}
              </button>
            ) : (
              <div>{body}</div>
            )}
          </li>
        )
      })}
    </ul>
  )
}
