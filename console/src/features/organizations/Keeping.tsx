import { SimpleGrid } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { DurationInput } from '@/parts/DurationInput'
import { useFormat } from '@/parts/format'
import { organizationsQuery } from './queries'

/** What an application keeps for a time of its own; an organization keeps its audit as well. */
export const KEPT = ['keepMessages', 'keepReadings', 'keepSummaries', 'keepResults'] as const
export const KEPT_BY_ORGANIZATION = [...KEPT, 'keepFacts'] as const
type Kept = (typeof KEPT_BY_ORGANIZATION)[number]

/** Tell for how long things are kept where an application of the organization says nothing. */
export function useKeptByDefault(organizationId?: string) {
  const { t } = useTranslation()
  const format = useFormat()
  const organization = useQuery(organizationsQuery).data?.items.find((one) => one.id === organizationId)
  return (what: Kept) => {
    const own = organization?.[what]
    return own
      ? t('keeping.asOrganization', { duration: format.duration(own) })
      : t(`keeping.default.${what}`)
  }
}

interface Props {
  what: readonly Kept[]
  byDefault: (what: Kept) => string
  cols: number
  /** Give what Mantine's forms give for a field. */
  field: (what: Kept) => { value?: string | null; onChange: (iso: string | null) => void; error?: unknown }
}

/** Set for how long things are kept; what is left empty is kept as by default. */
export function KeepingFields({ what, byDefault, cols, field }: Props) {
  const { t } = useTranslation()
  return (
    <SimpleGrid cols={{ base: 1, xs: cols }}>
      {what.map((one) => (
        <DurationInput
          key={one}
          label={t(`fields.${one}`)}
          placeholder={byDefault(one)}
          usual="days"
          {...field(one)}
        />
      ))}
    </SimpleGrid>
  )
}
