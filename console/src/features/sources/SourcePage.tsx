import { Alert, Button, Group, Menu, SimpleGrid, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { IconAlertTriangle, IconDots, IconPencil, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Source } from '@/api/types'
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
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { pauseSource, removeSource, resumeSource, sourceQuery } from './queries'
import { SourceForm } from './SourceForm'
import { SourceLog } from './SourceLog'
import { SOURCE_TONE, stateOf } from './words'

/** One source: how it fares, what came last, what it is set to. */
export function SourcePage() {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const [address, setAddress] = useAddress()
  const [open, setOpen] = useState<'edit' | 'remove' | null>(null)
  const found = useQuery(sourceQuery(id))
  const source = found.data
  const turn = useMutation({
    mutationFn: () => (source?.paused ? resumeSource(id) : pauseSource(id)),
    onSettled: () => void client.invalidateQueries({ queryKey: ['sources'] }),
    onError: (failure) => failed(text(failure)),
  })
  if (found.error && !source) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('sources:manage', source?.organizationId)
  const state = source && stateOf(source)
  return (
    <Page
      title={source?.name ?? '…'}
      crumbs={[{ label: t('places.sources'), to: '/sources' }]}
      beside={
        source &&
        state && (
          <Group gap="md">
            <Status tone={SOURCE_TONE[state]}>{t(`sourceState.${state}`)}</Status>
            <Text c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {source.url}
            </Text>
          </Group>
        )
      }
      calls={[{ path: `/api/v1/sources/${id}` }, { path: `/api/v1/sources/${id}/log` }]}
      action={
        may &&
        source && (
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
              leftSection={source.paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />}
              loading={turn.isPending}
              onClick={() => turn.mutate()}
            >
              {source.paused ? t('targets.resume') : t('targets.pause')}
            </Button>
            <Button leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          </>
        )
      }
    >
      {!source ? (
        <Skeleton height={360} />
      ) : (
        <Stack>
          {!source.paused && source.health.error && (
            <Alert
              color={source.health.state === 'connected' ? 'orange' : 'red'}
              icon={<IconAlertTriangle size={18} />}
              title={t(source.health.state === 'connected' ? 'sources.limited' : 'sources.fails')}
            >
              {source.health.error}{' '}
              {source.health.retryAt && (
                <>
                  {t('targets.nextTry')} <Time at={source.health.retryAt} span />.
                </>
              )}
            </Alert>
          )}
          <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
            <Figure label={t('sources.taken')} value={format.number(source.health.taken)} />
            <Figure label={t('sources.repeated')} value={format.number(source.health.repeated)} />
            <Figure label={t('sources.refused')} value={format.number(source.health.refused)} />
            <Figure
              label={t('sources.lastMessage')}
              value={<Time at={source.health.lastMessageAt} inherit />}
            />
          </SimpleGrid>
          <Tabs value={address.tab ?? 'messages'} onChange={(next) => setAddress({ tab: next ?? undefined })}>
            <Tabs.List mb="md">
              <Tabs.Tab value="messages">{t('sources.log')}</Tabs.Tab>
              <Tabs.Tab value="settings">{t('fields.settings')}</Tabs.Tab>
              {can('audit:read', source.organizationId) && (
                <Tabs.Tab value="timeline">{t('devices.timeline')}</Tabs.Tab>
              )}
            </Tabs.List>
            <Tabs.Panel value="messages">
              <SourceLog sourceId={id} />
            </Tabs.Panel>
            <Tabs.Panel value="settings">
              <Kept source={source} />
            </Tabs.Panel>
            <Tabs.Panel value="timeline">
              <Timeline subjectId={id} />
            </Tabs.Panel>
          </Tabs>
        </Stack>
      )}
      {open === 'edit' && source && <SourceForm source={source} onClose={() => setOpen(null)} />}
      {open === 'remove' && source && (
        <Confirm
          title={t('sources.remove')}
          action={t('common.remove')}
          name={source.name}
          act={() => removeSource(id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['sources'] })
            go('/sources')
          }}
        >
          {t('sources.removeAsk')}
        </Confirm>
      )}
    </Page>
  )
}

/** What a source is set to. */
function Kept({ source }: { source: Source }) {
  const { t } = useTranslation()
  const inbox = useQuery({ ...applicationQuery(source.inboxId ?? ''), enabled: !!source.inboxId }).data
  const device = t(`calledBy.${source.calledBy}`)
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Panel title={t('sources.connection')}>
        <Facts
          rows={[
            [t('sources.url'), source.url],
            [t('sources.version'), `MQTT ${source.version}`],
            [t('sources.clientId'), source.clientId || `moorage-${source.id.replaceAll('-', '')}`],
            [t('fields.userName'), source.userName || null],
            [
              t('fields.secrets'),
              source.secrets.map((one) => t(`secretNames.${one}` as never)).join(', ') || null,
            ],
            [t('sources.connectedSince'), <Time key="at" at={source.health.connectedAt} inherit />],
          ]}
        />
      </Panel>
      <Panel title={t('sources.subscriptions')}>
        <Facts
          rows={[
            ...source.subscriptions.map((one): [string, string] => [
              one.topic,
              [`QoS ${one.qos}`, one.device ?? one.devicePointer].filter(Boolean).join(', '),
            ]),
            [t('sources.calledBy'), source.identifierKind ? `${device}: ${source.identifierKind}` : device],
            [t('sources.inbox'), inbox?.name ?? t('sources.inboxNone')],
          ]}
        />
      </Panel>
    </SimpleGrid>
  )
}
