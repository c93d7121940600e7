import { Anchor, Drawer, Group, Stack, Text, TextInput } from '@mantine/core'
import { IconReceipt, IconReceiptOff } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import { usePages } from '@/api/pages'
import type { Receipt, Target } from '@/api/types'
import { DeviceSearch } from '@/features/devices/DeviceSearch'
import { boundsOf } from '@/features/telemetry/period'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Download } from '@/parts/Download'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { Facts } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { listReceipts } from './queries'
import { ReceiptStatus } from './ReceiptStatus'

const PERIODS = ['quarter', 'hour', 'day', 'between'] as const
const OUTCOMES = ['accepted', 'dead'] as const

/** What the target took and what was given up, message by message. */
export function Receipts({ target }: { target: Target }) {
  const { t } = useTranslation()
  const format = useFormat()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<Receipt | null>(null)
  const { deviceId, outcome, period, from, to } = address
  const between = period === 'between'
  const chosen = () => ({
    deviceId,
    outcome: OUTCOMES.find((one) => one === outcome),
    ...boundsOf({ period, from, to }, Date.now()),
  })
  const narrow = Boolean(deviceId || outcome || period)
  const list = usePages(
    ['targets', target.id, 'receipts', deviceId, outcome, period, from, to],
    (after) => listReceipts(target.id, chosen(), after),
    { refetchInterval: 10_000 },
  )
  const none = target.receiptDays === 0 && !narrow
  return (
    <>
      <DataList
        name="target-receipts"
        label={t('receipts.title')}
        list={list}
        rowKey={(one) => one.at + one.key}
        onOpen={setLooked}
        tools={
          <Group gap={6}>
            <DeviceSearch
              compact
              value={deviceId ?? null}
              onChange={(id) => setAddress({ ...address, deviceId: id ?? undefined })}
            />
            <Filters
              name="target-receipts"
              value={{ outcome, period, ...(between && { from, to }) }}
              onChange={(next) => setAddress({ tab: address.tab, deviceId, ...next })}
              filters={[
                {
                  key: 'outcome',
                  label: t('messages.result'),
                  options: OUTCOMES.map((one) => ({ value: one, label: t(`deliveryState.${one}`) })),
                },
                {
                  key: 'period',
                  label: t('readings.period'),
                  options: PERIODS.map((one) => ({ value: one, label: t(`messages.last.${one}`) })),
                },
              ]}
            />
            {between &&
              (['from', 'to'] as const).map((bound) => (
                <TextInput
                  key={bound}
                  type="datetime-local"
                  aria-label={t(`replays.${bound}`)}
                  value={address[bound] ?? ''}
                  onChange={(event) => setAddress({ ...address, [bound]: event.currentTarget.value })}
                />
              ))}
            <Download
              path={() => `/api/v1/targets/${target.id}/receipts${queryString(chosen())}`}
              name="receipts"
              forms={['csv', 'ndjson']}
            />
          </Group>
        }
        columns={[
          { key: 'at', label: t('targets.when'), width: '140px', cell: (one) => <Time at={one.at} /> },
          {
            key: 'device',
            label: t('fields.device'),
            cell: (one) => <DeviceLink of={one} />,
          },
          {
            key: 'outcome',
            label: t('messages.result'),
            width: '180px',
            cell: (one) => <ReceiptStatus of={one} />,
          },
          {
            key: 'status',
            label: t('targets.code'),
            width: '90px',
            numeric: true,
            cell: (one) => one.status ?? '–',
          },
          {
            key: 'attempts',
            label: t('receipts.attempts'),
            width: '90px',
            numeric: true,
            cell: (one) => one.attempts,
          },
          { key: 'detail', label: t('messages.detail'), cell: (one) => one.detail || '–' },
          {
            key: 'message',
            label: t('messages.id'),
            extra: true,
            cell: (one) => (
              <Text span ff="monospace" fz="sm">
                {one.messageId}
              </Text>
            ),
          },
        ]}
        empty={
          <Empty
            icon={none ? IconReceiptOff : IconReceipt}
            title={t(none ? 'receipts.offTitle' : narrow ? 'receipts.noneTitle' : 'receipts.emptyTitle')}
          >
            {none
              ? t('receipts.off')
              : narrow
                ? t('receipts.none')
                : t('receipts.empty', { count: target.receiptDays })}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={480}
        title={t('receipts.one')}
      >
        {looked && (
          <Stack>
            <ReceiptStatus of={looked} />
            {looked.detail && <Text style={{ overflowWrap: 'anywhere' }}>{looked.detail}</Text>}
            <Facts
              rows={[
                [t('targets.when'), format.instant(looked.at)],
                [t('fields.device'), <DeviceLink key="device" of={looked} />],
                [t('messages.id'), looked.messageId],
                [t('targets.key'), looked.key],
                [t('receipts.attempts'), String(looked.attempts)],
                [t('targets.code'), looked.status === null ? null : String(looked.status)],
                [t('receipts.day'), format.date(`${looked.day}T12:00:00`)],
              ]}
            />
          </Stack>
        )}
      </Drawer>
    </>
  )
}

function DeviceLink({ of }: { of: Receipt }) {
  const { t } = useTranslation()
  if (!of.deviceId) return t('receipts.deviceGone')
  return (
    <Anchor component={Link} to={`/devices/${of.deviceId}?tab=messages`}>
      {of.deviceName}
    </Anchor>
  )
}
