import { Anchor, Button, Group, Menu, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core'
import { IconDots, IconPencil, IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ShownBroker } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { sourceQuery } from '@/features/sources/queries'
import { stateOf as sourceStateOf } from '@/features/sources/words'
import { Confirm } from '@/parts/Confirm'
import { Failure, useFailureText } from '@/parts/Failure'
import { useGo } from '@/parts/go'
import { failed } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { BrokerForm } from './BrokerForm'
import { ConnectForm } from './ConnectForm'
import { brokerQuery, removeBroker, rotateToken, setupQuery } from './queries'
import { Pieces, Shown } from './Setup'
import { BROKER_TONE, kindOf, stateOf } from './words'

/** One broker in front: how it fares, and what to put into its configuration. */
export function BrokerPage() {
  const { t } = useTranslation()
  const text = useFailureText()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const [open, setOpen] = useState<'edit' | 'connect' | 'remove' | null>(null)
  const [shown, setShown] = useState<ShownBroker | null>(null)
  const found = useQuery(brokerQuery(id))
  const setup = useQuery(setupQuery(id))
  const broker = found.data
  const source = useQuery({ ...sourceQuery(broker?.sourceId ?? ''), enabled: !!broker?.sourceId }).data
  const rotate = useMutation({
    mutationFn: () => rotateToken(id),
    onSuccess: setShown,
    onSettled: () => void client.invalidateQueries({ queryKey: ['brokers'] }),
    onError: (failure) => failed(text(failure)),
  })
  if (found.error && !broker) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('sources:manage', broker?.organizationId)
  return (
    <Page
      title={broker?.name ?? '…'}
      crumbs={[{ label: t('places.brokers'), to: '/brokers' }]}
      beside={
        broker && (
          <Group gap="md">
            <Status tone={BROKER_TONE[stateOf(broker)]}>{t(`brokerState.${stateOf(broker)}`)}</Status>
            <Text c="dimmed">{kindOf(broker)}</Text>
          </Group>
        )
      }
      calls={[{ path: `/api/v1/brokers/${id}` }, { path: `/api/v1/brokers/${id}/setup` }]}
      action={
        may &&
        broker && (
          <>
            <Menu position="bottom-end" shadow="md">
              <Menu.Target>
                <Button variant="default" px={9} aria-label={t('common.more')}>
                  <IconDots size={17} />
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={() => rotate.mutate()}>{t('brokers.rotate')}</Menu.Item>
                <Menu.Item c="red" onClick={() => setOpen('remove')}>
                  {t('common.remove')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
            {!broker.sourceId && (
              <Button
                variant="default"
                leftSection={<IconPlugConnected size={16} />}
                onClick={() => setOpen('connect')}
              >
                {t('brokers.connect')}
              </Button>
            )}
            <Button leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          </>
        )
      }
    >
      {!broker ? (
        <Skeleton height={360} />
      ) : (
        <Stack>
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <Panel title={t('brokers.asks')}>
              <Facts
                rows={[
                  [t('fields.kind'), kindOf(broker)],
                  [t('brokers.askedAt'), <Time key="asked" at={broker.askedAt} inherit />],
                  [t('brokers.token'), `…${broker.hint}`],
                  [t('fields.expiresAt'), <Time key="ends" at={broker.expiresAt} inherit />],
                ]}
              />
            </Panel>
            <Panel title={t('brokers.brings')}>
              {source ? (
                <Facts
                  rows={[
                    [t('fields.state'), t(`sourceState.${sourceStateOf(source)}`)],
                    [
                      t('sources.connection'),
                      <Anchor key="source" renderRoot={(p) => <Link to={`/sources/${source.id}`} {...p} />}>
                        {source.url}
                      </Anchor>,
                    ],
                    [t('sources.lastMessage'), <Time key="last" at={source.health.lastMessageAt} inherit />],
                  ]}
                />
              ) : (
                <Text c="dimmed">{t('brokers.bringsNothing')}</Text>
              )}
            </Panel>
          </SimpleGrid>
          <Panel title={t('brokers.setup')}>
            <Stack>
              <Text fz="sm">{t('brokers.setupHelp')}</Text>
              <Pieces pieces={setup.data?.pieces ?? []} />
            </Stack>
          </Panel>
        </Stack>
      )}
      {shown && <Shown shown={shown} onClose={() => setShown(null)} />}
      {open === 'edit' && broker && <BrokerForm broker={broker} onClose={() => setOpen(null)} />}
      {open === 'connect' && broker && <ConnectForm broker={broker} onClose={() => setOpen(null)} />}
      {open === 'remove' && broker && (
        <Confirm
          title={t('brokers.remove')}
          action={t('common.remove')}
          name={broker.name}
          act={() => removeBroker(id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['brokers'] })
            go('/brokers')
          }}
        >
          {t('brokers.removeAsk')}
        </Confirm>
      )}
    </Page>
  )
}
