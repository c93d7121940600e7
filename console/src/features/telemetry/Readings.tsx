import { Button, Group, MultiSelect, SegmentedControl, Skeleton, Stack, Text } from '@mantine/core'
import { IconChartLine, IconZoomReset } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import type { Latest } from '@/api/types'
import { Chart } from '@/parts/Chart'
import { Download } from '@/parts/Download'
import { Empty } from '@/parts/Empty'
import { Failure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { latestQuery, readingsQuery, type Span } from './queries'
import { unitText } from './units'

const PERIODS = { hour: 3_600, day: 86_400, week: 604_800, month: 2_592_000, year: 31_536_000 } as const
type Period = keyof typeof PERIODS

const spanOf = (period: Period, end: number): Span => ({
  from: new Date(end - PERIODS[period] * 1000).toISOString(),
  to: new Date(end).toISOString(),
})

/** What a device measured over time, until now or `at`. */
export function Readings({ deviceId, at }: { deviceId: string; at?: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const state = useQuery(latestQuery(deviceId, at))
  const numeric = (state.data?.latest ?? []).filter((one) => typeof one.value === 'number')
  const [picked, setPicked] = useState<string[] | null>(null)
  const [period, setPeriod] = useState<Period>('day')
  const end = () => (at ? Date.parse(at) : Date.now())
  const [span, setSpan] = useState<Span>(() => spanOf('day', end()))
  const [zoomed, setZoomed] = useState(false)
  const series = picked ?? numeric.slice(0, 4).map((one) => one.series)
  const readings = useQuery(readingsQuery(deviceId, series, span))
  const range = useMemo(
    (): [number, number] => [Date.parse(span.from) / 1000, Date.parse(span.to) / 1000],
    [span],
  )
  if (state.error) return <Failure of={state.error} retry={() => void state.refetch()} />
  if (!state.data) return <Skeleton height={320} />
  if (numeric.length === 0) {
    return (
      <Panel>
        <Empty icon={IconChartLine} title={t('readings.emptyTitle')}>
          {t('readings.empty')}
        </Empty>
      </Panel>
    )
  }
  const choose = (next: Period) => {
    setPeriod(next)
    setSpan(spanOf(next, end()))
    setZoomed(false)
  }
  return (
    <Stack>
      <Group gap="sm" align="flex-end">
        <SegmentedControl
          aria-label={t('readings.period')}
          value={zoomed ? '' : period}
          onChange={(next) => choose(next as Period)}
          data={(Object.keys(PERIODS) as Period[]).map((p) => ({ value: p, label: t(`periods.${p}`) }))}
        />
        <MultiSelect
          aria-label={t('readings.series')}
          placeholder={series.length ? undefined : t('readings.series')}
          miw={200}
          maw={420}
          value={series}
          onChange={setPicked}
          data={numeric.map((one) => one.series)}
          searchable
        />
        {zoomed && (
          <Button variant="light" leftSection={<IconZoomReset size={16} />} onClick={() => choose(period)}>
            {t('readings.unzoom')}
          </Button>
        )}
      </Group>
      <Group justify="space-between">
        <Text fz="sm" c="dimmed">
          {format.instant(span.from, false)} – {format.instant(span.to, false)} · {t('readings.help')}
        </Text>
        <Download
          path={() => `/api/v1/devices/${deviceId}/readings${queryString({ series, ...span })}`}
          name="readings"
          forms={['csv', 'ndjson', 'parquet']}
        />
      </Group>
      {readings.error && <Failure of={readings.error} retry={() => void readings.refetch()} />}
      {readings.isPending && series.length > 0 && <Skeleton height={240} />}
      {readings.data &&
        series.map((name, i) => (
          <SeriesChart
            key={name}
            name={name}
            latest={numeric}
            rows={readings.data.items}
            range={range}
            colour={(i % 4) as 0 | 1 | 2 | 3}
            sync={deviceId}
            onZoom={(from, to) => {
              setSpan({ from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString() })
              setZoomed(true)
            }}
          />
        ))}
    </Stack>
  )
}

interface SeriesProps {
  name: string
  latest: Latest[]
  rows: { at: string; values: Record<string, number | boolean | string>; units: Record<string, string> }[]
  range: [number, number]
  colour: 0 | 1 | 2 | 3
  sync: string
  onZoom: (from: number, to: number) => void
}

function SeriesChart({ name, latest, rows, range, colour, sync, onZoom }: SeriesProps) {
  const { times, values } = useMemo(() => {
    const kept = rows.filter((row) => typeof row.values[name] === 'number')
    return {
      times: kept.map((row) => Date.parse(row.at) / 1000),
      values: kept.map((row) => row.values[name] as number),
    }
  }, [rows, name])
  const unit = latest.find((one) => one.series === name)?.unit
  return (
    <Panel title={name}>
      <Chart
        label={name}
        unit={unitText(unit)}
        times={times}
        values={values}
        range={range}
        colour={colour}
        sync={sync}
        onZoom={onZoom}
        height={210}
      />
    </Panel>
  )
}
