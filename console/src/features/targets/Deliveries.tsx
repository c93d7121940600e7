import { Anchor, Group, Skeleton, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Receipt } from '@/api/types'
import { Failure } from '@/parts/Failure'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { deliveriesQuery } from './queries'
import { ReceiptStatus } from './ReceiptStatus'
import { DELIVERY_TONE } from './words'

/** What became of one message at each target. */
export function Deliveries({ deviceId, position }: { deviceId: string; position: string }) {
  const { t } = useTranslation()
  const found = useQuery(deliveriesQuery(deviceId, position))
  return (
    <Panel title={t('receipts.deliveredTo')}>
      {found.error && !found.data ? (
        <Failure of={found.error} retry={() => void found.refetch()} />
      ) : !found.data ? (
        <Skeleton height={48} />
      ) : found.data.items.length === 0 ? (
        <Text c="dimmed">{t('receipts.noTargets')}</Text>
      ) : (
        <Stack gap="sm">
          {found.data.items.map((one) => (
            <div key={one.targetId}>
              <Group justify="space-between" gap="xs" wrap="nowrap">
                <Anchor component={Link} to={`/targets/${one.targetId}?tab=receipts`}>
                  {one.targetName}
                </Anchor>
                <Group gap="xs" justify="flex-end">
                  <Status tone={DELIVERY_TONE[one.state]}>{t(`deliveryState.${one.state}`)}</Status>
                  {one.at && <Time at={one.at} c="dimmed" fz="sm" />}
                </Group>
              </Group>
              <Story receipts={one.receipts} />
            </div>
          ))}
        </Stack>
      )}
    </Panel>
  )
}

/** What the state alone does not say: why, and what was before. */
function Story({ receipts }: { receipts: Receipt[] }) {
  if (receipts.length === 1 && receipts[0]?.outcome === 'accepted') return null
  return (
    <Stack gap={4} mt={4} pl="sm">
      {receipts.map((one) => (
        <div key={one.at + one.key}>
          <Group gap="xs">
            <ReceiptStatus of={one} />
            <Time at={one.at} c="dimmed" fz="sm" />
          </Group>
          {one.detail && (
            <Text fz="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {one.detail}
            </Text>
          )}
        </div>
      ))}
    </Stack>
  )
}
