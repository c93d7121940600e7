import { Select } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { deviceQuery, findDevices } from './queries'

interface Props {
  value: string | null
  onChange: (id: string | null) => void
  /** Beside filters, without a label above. */
  compact?: boolean
}

/** Choose a device by name. */
export function DeviceSearch({ value, onChange, compact }: Props) {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text, 200)
  const known = useQuery({ ...deviceQuery(value ?? ''), enabled: value !== null }).data
  // The field shows the chosen one's name; nobody searches for that.
  const words = known && asked === known.name ? '' : asked
  const found = useQuery({
    queryKey: ['devices', 'find', organizationId, words],
    queryFn: () => findDevices(words, organizationId),
  })
  const items = (found.data?.items ?? []).filter((one) => one.id !== known?.id)
  return (
    <Select
      label={compact ? undefined : t('fields.device')}
      aria-label={t('fields.device')}
      placeholder={compact ? t('fields.device') : undefined}
      w={compact ? 200 : undefined}
      searchable
      clearable
      value={value}
      onChange={onChange}
      searchValue={text}
      onSearchChange={setText}
      filter={({ options }) => options}
      nothingFoundMessage={t('palette.nothing')}
      data={[...(known ? [known] : []), ...items].map((one) => ({ value: one.id, label: one.name }))}
    />
  )
}
