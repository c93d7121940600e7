import { Anchor, Button, Group, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core'
import { IconCircleCheckFilled } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { decodersQuery } from '@/features/decoders/queries'
import { countDevicesQuery } from '@/features/devices/queries'
import { applicationsQuery } from '@/features/groups/queries'
import { useAcknowledge } from '@/features/notifications/acknowledge'
import { openNoticesQuery } from '@/features/notifications/queries'
import { NOTICE_TONE, placeOf, useNoticeText } from '@/features/notifications/words'
import { targetsQuery } from '@/features/targets/queries'
import { Failure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { demoQuery } from './demo'
import classes from './Overview.module.css'

// Loaded where there is a demo or nothing yet.
const DemoBanner = lazy(() => import('./Demo').then((module) => ({ default: module.DemoBanner })))
const WelcomePage = lazy(() => import('./Welcome').then((module) => ({ default: module.Welcome })))

/** What is wrong, where, and what to do; the three ways in where there is nothing yet. */
export function Overview() {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const reads = can('devices:read')
  const all = useQuery({ ...countDevicesQuery({ organizationId }), enabled: reads })
  const welcome = (
    <Suspense>
      <WelcomePage />
    </Suspense>
  )
  if (!reads) return welcome
  if (all.error) return <Failure of={all.error} retry={() => void all.refetch()} />
  if (all.data === 0) return welcome
  return (
    <Page
      title={t('places.overview')}
      calls={[
        { path: '/api/v1/notices', query: { state: 'open', organizationId } },
        { path: '/api/v1/devices', query: { limit: 1, total: true, organizationId } },
      ]}
    >
      <Stack>
        <DemoShown />
        <Numbers total={all.data} />
        <SimpleGrid cols={{ base: 1, lg: 2 }} style={{ alignItems: 'start' }}>
          <Attention />
          <Stack>
            <Flow />
            <Where />
          </Stack>
        </SimpleGrid>
      </Stack>
    </Page>
  )
}

function DemoShown() {
  const { can, organizationId } = useSession()
  const demo = useQuery({ ...demoQuery, enabled: can('installation:manage') }).data
  if (!demo?.organizationId || (organizationId && organizationId !== demo.organizationId)) return null
  return (
    <Suspense>
      <DemoBanner demo={demo} />
    </Suspense>
  )
}

function Numbers({ total }: { total: number | undefined }) {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const connected = useQuery(countDevicesQuery({ organizationId, connectivity: 'connected' })).data
  const seen = useQuery(countDevicesQuery({ organizationId, connectivity: 'seen' })).data
  const silent = useQuery(countDevicesQuery({ organizationId, connectivity: 'silent' })).data
  const never = useQuery(countDevicesQuery({ organizationId, connectivity: 'neverSeen' })).data
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm">
      <Figure label={t('places.devices')} value={total} to="/devices" />
      <Figure
        label={t('connectivity.connected')}
        value={connected}
        to="/devices?connectivity=connected"
        tone="good"
      />
      <Figure label={t('connectivity.seen')} value={seen} to="/devices?connectivity=seen" tone="info" />
      <Figure
        label={t('connectivity.silent')}
        value={silent}
        to="/devices?connectivity=silent"
        tone={silent ? 'warning' : 'quiet'}
      />
      <Figure
        label={t('connectivity.neverSeen')}
        value={never}
        to="/devices?connectivity=neverSeen"
        tone="none"
      />
    </SimpleGrid>
  )
}

function Figure({
  label,
  value,
  to,
  tone,
}: {
  label: string
  value: number | undefined
  to: string
  tone?: Tone
}) {
  const format = useFormat()
  return (
    <Anchor component={Link} to={to} className={classes.figure} underline="never">
      <span className={classes.number}>
        {value === undefined ? <Skeleton height={26} width={54} my={4} /> : format.number(value)}
      </span>
      {tone ? <Status tone={tone}>{label}</Status> : <span>{label}</span>}
    </Anchor>
  )
}

function Attention() {
  const { t } = useTranslation()
  const { organizationId, can } = useSession()
  const say = useNoticeText()
  const acknowledge = useAcknowledge()
  const open = useQuery(openNoticesQuery(organizationId))
  const items = open.data?.items ?? []
  return (
    <Panel
      title={t('overview.attention')}
      action={
        <Anchor component={Link} to="/notices" fz="sm">
          {t('overview.allNotices')}
        </Anchor>
      }
    >
      {open.isPending ? (
        <Skeleton height={160} />
      ) : items.length === 0 ? (
        <Group gap="sm" py="sm">
          <IconCircleCheckFilled size={26} className={classes.fine} aria-hidden="true" />
          <Text>{t('overview.allWell')}</Text>
        </Group>
      ) : (
        <ul className={classes.notices}>
          {items.slice(0, 8).map((notice) => (
            <li key={notice.id}>
              <div className={classes.what}>
                <Anchor component={Link} to={placeOf(notice) ?? '/notices'} fw={600}>
                  {notice.subjectName}
                </Anchor>
                <Status tone={NOTICE_TONE}>{say(notice)}</Status>
              </div>
              <Time at={notice.openedAt} fz="sm" c="dimmed" />
              {can('devices:manage') && (
                <Button
                  size="compact-sm"
                  variant="default"
                  onClick={() => acknowledge.mutate([notice])}
                  loading={acknowledge.isPending && acknowledge.variables?.[0]?.id === notice.id}
                >
                  {t('notices.take')}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

function Flow() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, organizationId } = useSession()
  const targets =
    useQuery({ ...targetsQuery(organizationId), enabled: can('targets:read') }).data?.items ?? []
  const decoders =
    useQuery({ ...decodersQuery(organizationId), enabled: can('decoders:read') }).data?.items ?? []
  const failing = targets.filter((one) => one.health.state === 'open' || one.health.state === 'failing')
  const pending = targets.reduce((sum, one) => sum + one.pending, 0)
  const dead = targets.reduce((sum, one) => sum + one.deadLetters, 0)
  const broken = decoders.filter((one) => one.failures > 0)
  return (
    <Panel title={t('overview.flow')}>
      <ul className={classes.flow}>
        <li>
          <Anchor component={Link} to="/targets">
            {t('places.targets')}
          </Anchor>
          <Status tone={failing.length ? 'bad' : targets.length ? 'good' : 'quiet'}>
            {failing.length
              ? t('overview.failing', { names: failing.map((one) => one.name).join(', ') })
              : targets.length
                ? t('overview.delivering', { count: targets.length })
                : t('overview.noTargets')}
          </Status>
        </li>
        <li>
          <span>{t('targets.pending')}</span>
          <span>{format.number(pending)}</span>
        </li>
        <li>
          <span>{t('targets.deadLetters')}</span>
          <Status tone={dead ? 'warning' : 'good'}>{format.number(dead)}</Status>
        </li>
        <li>
          <Anchor component={Link} to="/decoders">
            {t('places.decoders')}
          </Anchor>
          <Status tone={broken.length ? 'bad' : 'good'}>
            {broken.length
              ? t('overview.failing', { names: broken.map((one) => one.name).join(', ') })
              : t('overview.decodersWell')}
          </Status>
        </li>
      </ul>
    </Panel>
  )
}

function Where() {
  const { t } = useTranslation()
  const format = useFormat()
  const { organizationId } = useSession()
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const notices = useQuery(openNoticesQuery(organizationId)).data?.items ?? []
  const open = (id: string) => notices.filter((one) => one.applicationId === id).length
  return (
    <Panel title={t('places.applications')}>
      <ul className={classes.flow}>
        {applications
          .toSorted((a, b) => open(b.id) - open(a.id) || b.deviceCount - a.deviceCount)
          .slice(0, 6)
          .map((application) => (
            <li key={application.id}>
              <Anchor component={Link} to={`/applications/${application.id}`} truncate>
                {application.name}
              </Anchor>
              <Group gap="md" wrap="nowrap">
                {open(application.id) > 0 && (
                  <Status tone="warning">{t('overview.notices', { count: open(application.id) })}</Status>
                )}
                <Text c="dimmed">
                  {t('map.devices', {
                    count: application.deviceCount,
                    value: format.number(application.deviceCount),
                  })}
                </Text>
              </Group>
            </li>
          ))}
      </ul>
    </Panel>
  )
}
