import { Alert, Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import {
  IconActivity,
  IconAlertTriangle,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlugConnected,
} from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type FeedMessage, useFeed } from '@/api/feed'
import { deviceQuery } from '@/features/devices/queries'
import { Chart } from '@/parts/Chart'
import { Empty } from '@/parts/Empty'
import { Failure } from '@/parts/Failure'
import { Panel } from '@/parts/Panel'
import { Time, useNow } from '@/parts/Time'
import { FeedMark } from './FeedMark'
import { LatestValues, useValueText, type Value } from './LatestValues'
import { withMessage } from './latest'
import { latestQuery, readingsQuery } from './queries'
import { unitText } from './units'

const KEPT = 600
const WINDOW_S = 900

/** What a device says right now: values, a moving chart, the last messages. */
export function Live({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const state = useQuery(latestQuery(deviceId))
  const [paused, setPaused] = useState(false)
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set())
  const [heard, setHeard] = useState<FeedMessage[]>([])
  const [chosen, setChosen] = useState<string>()
  const fading = useRef<ReturnType<typeof setTimeout>>(undefined)
  const feed = useFeed(
    { deviceId },
    (message) => {
      client.setQueryData(latestQuery(deviceId).queryKey, (known) =>
        known
          ? {
              ...known,
              latest: withMessage(known.latest, message),
              receivedAt: message.receivedAt,
              messageCount: (known.messageCount ?? 0) + 1,
            }
          : known,
      )
      const { location } = message
      if (location) {
        client.setQueryData(
          deviceQuery(deviceId).queryKey,
          (known) =>
            known && { ...known, location: { type: 'Point' as const, coordinates: location.coordinates } },
        )
      }
      setHeard((before) => [message, ...before].slice(0, KEPT))
      setFresh(new Set(message.points.flatMap((point) => Object.keys(point.values))))
      clearTimeout(fading.current)
      fading.current = setTimeout(() => setFresh(new Set()), 700)
    },
    paused,
  )
  useEffect(() => () => clearTimeout(fading.current), [])
  if (state.error) return <Failure of={state.error} retry={() => void state.refetch()} />
  if (!state.data) return <Skeleton height={260} />
  const { latest } = state.data
  const series = chosen ?? latest.find((one) => typeof one.value === 'number')?.series
  return (
    <Stack>
      <Group justify="space-between">
        <Group gap="lg">
          <FeedMark state={feed} />
          <Text c="dimmed" fz="sm">
            {t('live.lastMessage')} <Time at={state.data.receivedAt} span fz="sm" c="dimmed" />
          </Text>
        </Group>
        <Button
          variant="default"
          size="compact-md"
          leftSection={paused ? <IconPlayerPlay size={15} /> : <IconPlayerPause size={15} />}
          onClick={() => setPaused(!paused)}
        >
          {paused ? t('live.resume') : t('live.pause')}
        </Button>
      </Group>
      {(state.data.droppedValues ?? 0) > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle size={18} />} title={t('live.droppedTitle')}>
          {t('live.dropped', { count: state.data.droppedValues ?? 0 })}
        </Alert>
      )}
      {latest.length === 0 ? (
        <Panel>
          <Empty
            icon={IconActivity}
            title={t('live.emptyTitle')}
            action={
              <Button
                component={Link}
                to="/connect"
                search={{ device: deviceId } as never}
                leftSection={<IconPlugConnected size={16} />}
              >
                {t('live.howTo')}
              </Button>
            }
          >
            {t('live.empty')}
          </Empty>
        </Panel>
      ) : (
        <LatestValues latest={latest} fresh={fresh} chosen={series} onChoose={setChosen} />
      )}
      {series && (
        <MovingChart
          deviceId={deviceId}
          series={series}
          heard={heard}
          unit={latest.find((l) => l.series === series)?.unit}
        />
      )}
      {heard.length > 0 && <Heard messages={heard.slice(0, 30)} />}
    </Stack>
  )
}

interface MovingProps {
  deviceId: string
  series: string
  heard: FeedMessage[]
  unit?: string | null
}

/** The last quarter of an hour of a series, as it goes on. */
export function MovingChart({ deviceId, series, heard, unit }: MovingProps) {
  const { t } = useTranslation()
  const [since] = useState(() => ({
    from: new Date(Date.now() - WINDOW_S * 1000).toISOString(),
    to: new Date().toISOString(),
  }))
  const before = useQuery(readingsQuery(deviceId, [series], since))
  const points = new Map<number, number>()
  for (const row of before.data?.items ?? []) {
    const value = row.values[series]
    if (typeof value === 'number') points.set(Date.parse(row.at) / 1000, value)
  }
  for (const message of heard) {
    for (const point of message.points) {
      const value = point.values[series]
      if (typeof value === 'number') points.set(Date.parse(point.at) / 1000, value)
    }
  }
  const times = [...points.keys()].sort((a, b) => a - b)
  const until = Math.ceil(useNow() / 5_000) * 5
  const range = useMemo((): [number, number] => [until - WINDOW_S, until], [until])
  return (
    <Panel title={t('live.chart', { series })}>
      <Chart
        label={series}
        unit={unitText(unit)}
        times={times}
        values={times.map((at) => points.get(at) ?? null)}
        height={240}
        range={range}
      />
    </Panel>
  )
}

function Heard({ messages }: { messages: FeedMessage[] }) {
  const { t } = useTranslation()
  const text = useValueText()
  return (
    <Panel title={t('live.heard')}>
      <Stack
        gap={6}
        mah={280}
        style={{ overflowY: 'auto' }}
        tabIndex={0}
        role="log"
        aria-label={t('live.heard')}
      >
        {messages.map((message) => (
          <Group key={message.position} gap="sm" wrap="nowrap" align="baseline">
            <Time at={message.receivedAt} fz="sm" c="dimmed" miw={92} />
            <Text
              fz="sm"
              ff="monospace"
              style={{ overflowWrap: 'anywhere' }}
              c={message.problem ? 'red' : undefined}
            >
              {message.problem ??
                message.points
                  .flatMap((point) =>
                    Object.entries(point.values).map(([series, value]) =>
                      `${series} ${text(value as Value)} ${unitText(point.units[series])}`.trim(),
                    ),
                  )
                  .join(' · ')}
            </Text>
          </Group>
        ))}
      </Stack>
    </Panel>
  )
}
