import { Group, NumberInput, Select } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { durationSeconds } from './format'

const UNITS = { minutes: 60, hours: 3_600, days: 86_400 } as const
type Unit = keyof typeof UNITS

/** Write an amount of a unit as an ISO 8601 duration. */
export function asDuration(amount: number, unit: Unit): string {
  return unit === 'days' ? `P${amount}D` : unit === 'hours' ? `PT${amount}H` : `PT${amount}M`
}

/** Split a duration into an amount of its largest whole unit. */
export function splitDuration(iso: string | null | undefined): [number | '', Unit] {
  const seconds = iso ? durationSeconds(iso) : null
  if (seconds === null) return ['', 'hours']
  for (const unit of ['days', 'hours', 'minutes'] as const) {
    if (seconds % UNITS[unit] === 0 && seconds > 0) return [seconds / UNITS[unit], unit]
  }
  return [Math.max(1, Math.round(seconds / 60)), 'minutes']
}

interface Props {
  label: string
  description?: string
  placeholder?: string
  value?: string | null
  onChange: (iso: string | null) => void
  error?: unknown
}

/** Choose a duration in minutes, hours or days; empty means the default. */
export function DurationInput({ label, description, placeholder, value, onChange, error }: Props) {
  const { t } = useTranslation()
  const [amount, found] = splitDuration(value)
  const [chosen, setChosen] = useState<Unit>(found)
  const unit = amount === '' ? chosen : found
  return (
    <Group gap={6} align="flex-end" wrap="nowrap">
      <NumberInput
        flex={1}
        label={label}
        description={description}
        placeholder={placeholder}
        min={1}
        allowDecimal={false}
        value={amount}
        error={typeof error === 'string' ? error : undefined}
        onChange={(next) => onChange(typeof next === 'number' && next > 0 ? asDuration(next, unit) : null)}
      />
      <Select
        w={110}
        aria-label={t('common.unit')}
        allowDeselect={false}
        value={unit}
        data={(Object.keys(UNITS) as Unit[]).map((u) => ({ value: u, label: t(`units.${u}`) }))}
        onChange={(next) => {
          setChosen(next as Unit)
          if (amount !== '') onChange(asDuration(amount, next as Unit))
        }}
      />
    </Group>
  )
}
