import { Select, type SelectProps } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usableDecodersQuery } from './queries'

interface Props extends Pick<SelectProps, 'value' | 'onChange' | 'description' | 'error' | 'withAsterisk'> {
  organizationId: string
  /** Those to offer before the others. */
  first?: string[]
}

/** Choose a decoder; none for the plain formats, unless one must be chosen (`withAsterisk`). */
export function DecoderChoice({ organizationId, first = [], withAsterisk, ...others }: Props) {
  const { t } = useTranslation()
  const decoders = useQuery(usableDecodersQuery(organizationId)).data ?? []
  const rank = (id: string) => (first.includes(id) ? first.indexOf(id) : first.length)
  return (
    <Select
      label={t('fields.decoder')}
      description={t('devices.decoderHelp')}
      placeholder={withAsterisk ? undefined : t('devices.noDecoder')}
      searchable
      clearable={!withAsterisk}
      withAsterisk={withAsterisk}
      data={decoders
        .toSorted((a, b) => rank(a.id) - rank(b.id))
        .map((one) => ({ value: one.id, label: one.name }))}
      {...others}
    />
  )
}
