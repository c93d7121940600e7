import { Select } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { deviceQuery, findDevices } from './queries'

interface Props {
  device: Device
  value: string | null
  onChange: (id: string | null) => void
}

/** Choose the gateway that may speak for a device. */
export function GatewayChoice({ device, value, onChange }: Props) {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text, 200)
  const known = useQuery({ ...deviceQuery(value ?? ''), enabled: value !== null }).data
  const words = known && asked === known.name ? '' : asked
  const found = useQuery({
    queryKey: ['devices', 'gateways', device.organizationId, words],
    queryFn: () => findDevices(words, device.organizationId, 'gateway'),
  })
  const items = (found.data?.items ?? []).filter((one) => one.id !== known?.id && one.id !== device.id)
  return (
    <Select
      label={t('fields.gateway')}
      placeholder={t('devices.noGateway')}
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
