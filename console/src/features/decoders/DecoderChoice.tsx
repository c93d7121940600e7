import { Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { decodersQuery } from './queries'

interface Props {
  organizationId: string
  value: string | null
  onChange: (id: string | null) => void
  /** Those to offer before the others. */
  first?: string[]
}

/** Choose a decoder, or none for the plain formats. */
export function DecoderChoice({ organizationId, value, onChange, first = [] }: Props) {
  const { t } = useTranslation()
  const decoders = useQuery(decodersQuery(organizationId)).data?.items ?? []
  const rank = (id: string) => (first.includes(id) ? first.indexOf(id) : first.length)
  return (
    <Select
      label={t('fields.decoder')}
      description={t('devices.decoderHelp')}
      placeholder={t('devices.noDecoder')}
      searchable
      clearable
      data={decoders
        .toSorted((a, b) => rank(a.id) - rank(b.id) || a.name.localeCompare(b.name))
        .map((one) => ({ value: one.id, label: one.name }))}
      value={value}
      onChange={onChange}
    />
  )
}
