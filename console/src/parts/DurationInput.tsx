import { Group, NumberInput, Select } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asDuration, splitDuration, UNITS, type Unit } from './duration'

interface Props {
  label: string
  description?: string
  placeholder?: string
  value?: string | null
  onChange: (iso: string | null) => void
  error?: unknown
  /** The unit while nothing is chosen. */
  usual?: Unit
}

/** Choose a duration in minutes, hours or days; empty means the default. */
export function DurationInput({
  label,
  description,
  placeholder,
  value,
  onChange,
  error,
  usual = 'hours',
}: Props) {
  const { t } = useTranslation()
  const [amount, found] = splitDuration(value)
  const [chosen, setChosen] = useState<Unit>(amount === '' ? usual : found)
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
