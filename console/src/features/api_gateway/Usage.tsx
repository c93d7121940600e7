import { Text } from '@mantine/core'
import { IconChartBar } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import type { UsageTotal } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Download } from '@/parts/Download'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { Page } from '@/parts/Page'
import { Time } from '@/parts/Time'
import { apisQuery, totalsQuery, useSubscribers } from './queries'

const DAYS = { day: 1, week: 7, month: 30 } as const
type Period = keyof typeof DAYS
const KINDS: Record<string, 'user' | 'apiKey' | 'client'> = {
  person: 'user',
  apiKey: 'apiKey',
  client: 'client',
}

/** Give the hour that a period began with; the same for as long as the page is open. */
const beginning = (period: Period) =>
  new Date(Math.floor(Date.now() / 3_600_000 - DAYS[period] * 24) * 3_600_000).toISOString()

/** What was asked of the API, by whom. */
export function Usage() {
  const { t } = useTranslation()
  const format = useFormat()
  const { me, organizationId } = useSession()
  const [address, setAddress] = useAddress()
  const period = address.period && address.period in DAYS ? (address.period as Period) : 'week'
  const from = useMemo(() => beginning(period), [period])
  const wanted = { organizationId, area: address.area, from }
  const totals = useQuery(totalsQuery(wanted))
  const areas = useQuery(apisQuery()).data?.items ?? []
  const { nameOf } = useSubscribers()
  const name = (id: string) =>
    id === me.id ? (me.user?.name ?? me.label) : (nameOf(id) ?? `${t('usage.gone')} (${id.slice(-6)})`)
  const numbers = (['calls', 'errors', 'failures', 'refused'] as const).map((key) => ({
    key,
    label: t(`usage.${key}`),
    numeric: true,
    cell: (one: UsageTotal) => format.number(one[key]),
  }))
  return (
    <Page
      title={t('places.usage')}
      lead={t('usage.lead')}
      action={
        <Download
          path={() => `/api/v1/usage${queryString(wanted)}`}
          name="usage"
          forms={['csv', 'ndjson', 'parquet']}
        />
      }
      calls={[
        { path: '/api/v1/usage/totals', query: wanted },
        { path: '/api/v1/usage', query: wanted },
      ]}
    >
      <DataList<UsageTotal>
        name="usage"
        label={t('places.usage')}
        list={{
          items: totals.data?.items ?? [],
          total: null,
          removed: 0,
          isPending: totals.isPending,
          isGrowing: false,
          error: totals.isError ? totals.error : null,
          more: null,
          again: () => void totals.refetch(),
        }}
        rowKey={(one) => `${one.callerId} ${one.clientId} ${one.organizationId}`}
        tools={
          <Filters
            name="usage"
            value={{ period, area: address.area }}
            onChange={setAddress}
            filters={[
              {
                key: 'period',
                label: t('usage.period'),
                options: (Object.keys(DAYS) as Period[]).map((one) => ({
                  value: one,
                  label: t(`usage.periods.${one}`),
                })),
              },
              {
                key: 'area',
                label: t('usage.area'),
                options: areas.map((one) => ({ value: one.id, label: one.title })),
              },
            ]}
          />
        }
        columns={[
          {
            key: 'who',
            label: t('plans.subscriber'),
            cell: (one) => (
              <>
                {name(one.callerId)}
                <Text fz="sm" c="dimmed">
                  {one.clientId && one.clientId !== one.callerId
                    ? t('usage.through', { name: name(one.clientId) })
                    : t(`plans.kind.${KINDS[one.callerKind] ?? 'user'}`)}
                </Text>
              </>
            ),
          },
          ...numbers,
          {
            key: 'bytesIn',
            label: t('usage.bytesIn'),
            numeric: true,
            cell: (one) => format.bytes(one.bytesIn),
          },
          {
            key: 'bytesOut',
            label: t('usage.bytesOut'),
            numeric: true,
            cell: (one) => format.bytes(one.bytesOut),
          },
          { key: 'last', label: t('usage.last'), width: '140px', cell: (one) => <Time at={one.lastHour} /> },
        ]}
        empty={
          <Empty icon={IconChartBar} title={t('usage.emptyTitle')}>
            {t('usage.empty')}
          </Empty>
        }
      />
    </Page>
  )
}
