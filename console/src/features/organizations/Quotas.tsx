import { NumberInput, SimpleGrid } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useFormat } from '@/parts/format'

export type Quotas = Record<string, number>

const QUOTAS = [
  'messagesPerSecond',
  'bytesPerSecond',
  'devices',
  'connectsPerSecond',
  'connections',
  'deviceMessagesPerSecond',
  'deviceBytesPerSecond',
  'deviceConnectsPerMinute',
  'deviceConnections',
  'deviceQueueMessages',
  'deviceQueueBytes',
] as const

interface Props {
  value: Quotas
  onChange: (quotas: Quotas) => void
}

/** Set what may be used at most; what is left empty has no bound. */
export function QuotaFields({ value, onChange }: Props) {
  const { t } = useTranslation()
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }}>
      {QUOTAS.map((name) => (
        <NumberInput
          key={name}
          label={t(`quotas.${name}`)}
          placeholder={t('quotas.none')}
          min={1}
          max={2_000_000_000}
          allowDecimal={false}
          value={value[name] ?? ''}
          onChange={(most) => {
            const { [name]: _, ...rest } = value
            onChange(typeof most === 'number' && most > 0 ? { ...rest, [name]: most } : rest)
          }}
        />
      ))}
    </SimpleGrid>
  )
}

/** Give the rows that tell what may be used at most. */
export function useQuotaRows() {
  const { t } = useTranslation()
  const format = useFormat()
  return (quotas: Quotas): [string, string][] =>
    QUOTAS.map((name) => {
      const most = quotas[name]
      return [
        t('quotas.row', { name: t(`quotas.${name}`) }),
        most === undefined ? t('quotas.none') : format.number(most),
      ]
    })
}
