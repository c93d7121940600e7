import { Alert, Button, Group, Menu, SimpleGrid, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { IconAlertTriangle, IconDots, IconPencil, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Timeline } from '@/features/audit/Timeline'
import { useSession } from '@/features/auth/session'
import { applicationQuery } from '@/features/groups/queries'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { Failure, useFailureText } from '@/parts/Failure'
import { Figure } from '@/parts/Figure'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { failed } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { DeadLetters } from './DeadLetters'
import { pauseTarget, removeTarget, resumeTarget, targetQuery } from './queries'
import { Receipts } from './Receipts'
import { Replays } from './Replays'
import { Routes } from './Routes'
import { Statement } from './Statement'
import { TargetForm } from './TargetForm'
import { TargetLog } from './TargetLog'
import { TargetTest } from './TargetTest'
import { stateOf, TARGET_TONE } from './words'

/** One target: how it fares, what goes there, what was given up. */
export function TargetPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const [address, setAddress] = useAddress()
  const [open, setOpen] = useState<'edit' | 'remove' | null>(null)
  const found = useQuery(targetQuery(id))
  const target = found.data
  const application = useQuery({ ...applicationQuery(target?.applicationId ?? ''), enabled: !!target }).data
  const turn = useMutation({
    mutationFn: () => (target?.paused ? resumeTarget(id) : pauseTarget(id)),
    onSettled: () => void client.invalidateQueries({ queryKey: ['targets'] }),
    onError: (failure) => failed(text(failure)),
  })
  if (found.error && !target) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('targets:manage', target?.organizationId)
  const tab = address.tab ?? 'routes'
  return (
    <Page
      title={target?.name ?? '…'}
      crumbs={[
        { label: t('places.targets'), to: '/targets' },
        ...(application ? [{ label: application.name, to: `/applications/${application.id}` }] : []),
      ]}
      beside={
        target && (
          <Group gap="md">
            <Status tone={TARGET_TONE[stateOf(target)]}>{t(`targetState.${stateOf(target)}`)}</Status>
            <Text c="dimmed">{target.kind.toUpperCase()}</Text>
          </Group>
        )
      }
      calls={[
        { path: `/api/v1/targets/${id}` },
        { path: `/api/v1/targets/${id}/receipts` },
        { path: `/api/v1/targets/${id}/log` },
      ]}
      action={
        may &&
        target && (
          <>
            <Menu position="bottom-end" shadow="md">
              <Menu.Target>
                <Button variant="default" px={9} aria-label={t('common.more')}>
                  <IconDots size={17} />
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item c="red" onClick={() => setOpen('remove')}>
                  {t('common.remove')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
            <Button
              variant="default"
              leftSection={target.paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
              loading={turn.isPending}
              onClick={() => turn.mutate()}
            >
              {target.paused ? t('targets.resume') : t('targets.pause')}
            </Button>
            <Button leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          </>
        )
      }
    >
      {!target ? (
        <Skeleton height={360} />
      ) : (
        <Stack>
          {!target.paused && (target.health.state === 'open' || target.health.state === 'failing') && (
            <Alert
              color={target.health.state === 'open' ? 'red' : 'orange'}
              icon={<IconAlertTriangle size={18} />}
              title={t(target.health.state === 'open' ? 'targets.stopped' : 'targets.stumbles')}
            >
              {target.health.error}{' '}
              {target.health.retryAt && (
                <>
                  {t('targets.nextTry')} <Time at={target.health.retryAt} span />.
                </>
              )}
            </Alert>
          )}
          <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
            <Figure label={t('targets.pending')} value={format.number(target.pending)} />
            <Figure label={t('targets.deadLetters')} value={format.number(target.deadLetters)} />
            <Figure
              label={t('targets.lastAccepted')}
              value={<Time at={target.health.acceptedAt} inherit />}
            />
            <Figure label={t('targets.lastFailed')} value={<Time at={target.health.failedAt} inherit />} />
          </SimpleGrid>
          <Tabs value={tab} onChange={(next) => setAddress({ tab: next ?? undefined })}>
            <Tabs.List mb="md">
              <Tabs.Tab value="routes">{t('routes.title')}</Tabs.Tab>
              <Tabs.Tab value="receipts">{t('receipts.title')}</Tabs.Tab>
              <Tabs.Tab value="log">{t('targets.log')}</Tabs.Tab>
              <Tabs.Tab value="dead">
                {t('targets.deadLetters')}
                {target.deadLetters > 0 && ` (${format.number(target.deadLetters)})`}
              </Tabs.Tab>
              {may && <Tabs.Tab value="test">{t('targets.test')}</Tabs.Tab>}
              <Tabs.Tab value="statement">{t('targets.statement')}</Tabs.Tab>
              <Tabs.Tab value="replays">{t('replays.title')}</Tabs.Tab>
              {can('audit:read', target.organizationId) && (
                <Tabs.Tab value="timeline">{t('devices.timeline')}</Tabs.Tab>
              )}
            </Tabs.List>
            <Tabs.Panel value="routes">
              <Routes target={target} may={may} />
            </Tabs.Panel>
            <Tabs.Panel value="receipts">
              <Receipts target={target} />
            </Tabs.Panel>
            <Tabs.Panel value="log">
              <TargetLog targetId={id} />
            </Tabs.Panel>
            <Tabs.Panel value="dead">
              <DeadLetters targetId={id} may={may} />
            </Tabs.Panel>
            <Tabs.Panel value="test">
              <TargetTest targetId={id} />
            </Tabs.Panel>
            <Tabs.Panel value="statement">
              <Statement targetId={id} />
            </Tabs.Panel>
            <Tabs.Panel value="replays">
              <Replays targetId={id} may={may} />
            </Tabs.Panel>
            <Tabs.Panel value="timeline">
              <Timeline subjectId={id} />
            </Tabs.Panel>
          </Tabs>
        </Stack>
      )}
      {open === 'edit' && target && <TargetForm target={target} onClose={() => setOpen(null)} />}
      {open === 'remove' && target && (
        <Confirm
          title={t('targets.remove')}
          action={t('common.remove')}
          name={target.name}
          act={() => removeTarget(id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['targets'] })
            go('/targets')
          }}
        >
          {t('targets.removeAsk', {
            pending: format.number(target.pending),
            dead: format.number(target.deadLetters),
          })}
        </Confirm>
      )}
    </Page>
  )
}
