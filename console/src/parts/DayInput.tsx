import { TextInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { dayOf, endOfDay } from './day'

interface Props {
  label: string
  description?: string
  /** The end of the chosen day; null where there is none. */
  value?: string | null
  onChange: (instant: string | null) => void
  error?: ReactNode
}

/** Choose the last day of something, as it is counted here; empty means without an end. */
export function DayInput({ label, description, value, onChange, error }: Props) {
  return (
    <TextInput
      type="date"
      label={label}
      description={description}
      min={dayOf(new Date().toISOString())}
      value={dayOf(value ?? null)}
      error={error}
      onChange={(event) => onChange(endOfDay(event.currentTarget.value))}
    />
  )
}
