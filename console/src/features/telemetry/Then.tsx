import { Skeleton, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Chart } from '@/parts/Chart'
import { Failure } from '@/parts/Failure'
import { Panel } from '@/parts/Panel'
import { LatestValues } from './LatestValues'
import { latestQuery, readingsQuery } from './queries'
import { unitText } from './units'

const WINDOW_S = 21_600

/** What a device had said by a time gone by: values, and the hours that led there. */
export function Then({ deviceId, at }: { deviceId: string; at: string }) {
  const { t } = useTranslation()
  const state = useQuery(latestQuery(deviceId, at))
  const [chosen, setChosen] = useState<string>()
  const latest = state.data?.latest ?? []
  const series = chosen ?? latest.find((one) => typeof one.value === 'number')?.series
  const range = useMemo((): [number, number] => {
    const end = Date.parse(at) / 1000
    return [end - WINDOW_S, end]
  }, [at])
  const [from, to] = range.map((s) => new Date(s * 1000).toISOString()) as [string, string]
  const readings = useQuery({
    ...readingsQuery(deviceId, series ? [series] : [], { from, to }),
    enabled: !!series,
  })
  if (state.error) return <Failure of={state.error} retry={() => void state.refetch()} />
  if (!state.data) return <Skeleton height={260} />
  if (latest.length === 0) return <Text c="dimmed">{t('past.noValues')}</Text>
  const rows = (readings.data?.items ?? []).filter((row) => series && typeof row.values[series] === 'number')
  return (
    <Stack>
      <LatestValues latest={latest} chosen={series} onChoose={setChosen} exact />
      {series && (
        <Panel title={t('past.before', { series })}>
          <Chart
            label={series}
            unit={unitText(latest.find((one) => one.series === series)?.unit)}
            times={rows.map((row) => Date.parse(row.at) / 1000)}
            values={rows.map((row) => row.values[series] as number)}
            height={240}
            range={range}
          />
        </Panel>
      )}
    </Stack>
  )
}
