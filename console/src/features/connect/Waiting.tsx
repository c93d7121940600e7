import { Alert, Button, Group, Loader, Stack, Text, Title } from '@mantine/core'
import { IconAlertTriangle, IconArrowRight, IconCircleCheckFilled } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type FeedMessage, useFeed } from '@/api/feed'
import { deviceQuery } from '@/features/devices/queries'
import { UnknownBytes } from '@/features/devices/UnknownBytes'
import { listRefusals } from '@/features/ingest/queries'
import { useRefusalText } from '@/features/ingest/words'
import { FeedMark } from '@/features/telemetry/FeedMark'
import { LatestValues } from '@/features/telemetry/LatestValues'
import { MovingChart } from '@/features/telemetry/Live'
import { isUnderstood, withMessage } from '@/features/telemetry/latest'
import { Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import classes from './Waiting.module.css'

/** After this much silence we say what the doors saw. */
const PATIENCE_MS = 30_000
const KEPT = 100

/** Wait on the live feed; light up at the first message, explain the silence otherwise. */
export function Waiting({ deviceId, again }: { deviceId: string; again: () => void }) {
  const { t } = useTranslation()
  const [heard, setHeard] = useState<FeedMessage[]>([])
  const [since] = useState(() => new Date().toISOString())
  const [impatient, setImpatient] = useState(false)
  const feed = useFeed({ deviceId }, (message) => {
    setHeard((before) => [message, ...before].slice(0, KEPT))
  })
  const latest = heard[0]
  const understood = latest !== undefined && isUnderstood(latest)
  const [series, unit] = firstNumber(heard)
  const device = useQuery({ ...deviceQuery(deviceId), enabled: latest !== undefined && !understood }).data
  const chosen = latest !== undefined && !understood && device?.decoderId != null && latest.problem === null
  useEffect(() => {
    const timer = setTimeout(() => setImpatient(true), PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [])
  return (
    <Panel title={latest ? t('connect.arrived') : t('connect.waiting')} action={<FeedMark state={feed} />}>
      {latest ? (
        <Stack role="status">
          <Group wrap="nowrap" className={classes.lit}>
            <IconCircleCheckFilled size={34} className={classes.tick} aria-hidden="true" />
            <div>
              <Title order={2}>{t('connect.itWorks')}</Title>
              <Text c="dimmed">
                <Time at={latest.receivedAt} span c="dimmed" />
              </Text>
            </div>
          </Group>
          {!understood ? (
            <Alert
              color={chosen ? 'teal' : 'orange'}
              icon={<IconAlertTriangle size={18} />}
              title={chosen ? t('connect.decoderChosen') : t('connect.notUnderstood')}
            >
              {chosen ? t('connect.sendAgain') : (latest.problem ?? t('connect.onlyBytes'))}
            </Alert>
          ) : (
            <LatestValues latest={withMessage([], latest)} />
          )}
          {!understood && <UnknownBytes deviceId={deviceId} />}
          {series && <MovingChart deviceId={deviceId} series={series} heard={heard} unit={unit} />}
          {!chosen && <Text>{understood ? t('connect.next') : t('connect.nextDecoder')}</Text>}
          <Group>
            <Button component={Link} to={`/devices/${deviceId}`} rightSection={<IconArrowRight size={16} />}>
              {t('connect.openDevice')}
            </Button>
            <Button component={Link} to={understood ? '/targets' : '/decoders'} variant="default">
              {understood ? t('connect.forward') : t('connect.chooseDecoder')}
            </Button>
            <Button variant="subtle" onClick={again}>
              {t('connect.another')}
            </Button>
          </Group>
        </Stack>
      ) : (
        <Stack>
          <Group wrap="nowrap" role="status">
            <Loader size="sm" type="dots" />
            <Text>{t('connect.listening')}</Text>
          </Group>
          {impatient && <Seen since={since} deviceId={deviceId} />}
        </Stack>
      )}
    </Panel>
  )
}

/** Find the first numeric series of what was heard, with its unit. */
function firstNumber(heard: FeedMessage[]): [string?, string?] {
  for (const point of heard.flatMap((message) => message.points)) {
    const found = Object.entries(point.values).find(([, value]) => typeof value === 'number')
    if (found) return [found[0], point.units[found[0]]]
  }
  return []
}

function Seen({ since, deviceId }: { since: string; deviceId: string }) {
  const { t } = useTranslation()
  const say = useRefusalText()
  const seen = useQuery({
    queryKey: ['refusals', 'since', since],
    queryFn: () => listRefusals({ since }),
    refetchInterval: 3_000,
  })
  // This device's own come first; others may knock at the same time.
  const own = (one: { deviceId: string | null; hint: string }) =>
    one.deviceId === deviceId || one.hint.includes(deviceId)
  const items = (seen.data?.items ?? []).toSorted((a, b) => Number(own(b)) - Number(own(a)))
  return (
    <Alert
      color={items.length ? 'orange' : 'gray'}
      icon={<IconAlertTriangle size={18} />}
      title={t('connect.silence')}
    >
      {items.length === 0 ? (
        <Text fz="sm">{t('connect.nothingSeen')}</Text>
      ) : (
        <Stack gap="xs">
          <Text fz="sm">{t('connect.doorSaw')}</Text>
          {items.slice(0, 5).map((one) => (
            <div key={one.id}>
              <Text fz="sm" fw={600}>
                {say(one.reason)}
              </Text>
              <Text fz="sm">
                {[one.detail, one.hint].filter(Boolean).join(' ')} ({one.protocol.toUpperCase()},{' '}
                {one.address}, <Time at={one.lastAt} span fz="sm" />)
              </Text>
            </div>
          ))}
        </Stack>
      )}
    </Alert>
  )
}
