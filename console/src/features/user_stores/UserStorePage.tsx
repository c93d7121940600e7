import { Alert, Button, Group, Menu, SimpleGrid, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { IconAlertTriangle, IconDots, IconPencil, IconRefresh } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { UserStore } from '@/api/types'
import { Timeline } from '@/features/audit/Timeline'
import { useSession } from '@/features/auth/session'
import { groupsQuery } from '@/features/organizations/queries'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { Failure, useFailureText } from '@/parts/Failure'
import { Figure } from '@/parts/Figure'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { failed, told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { People } from './People'
import { removeUserStore, syncUserStore, userStoreQuery } from './queries'
import { UserStoreForm } from './UserStoreForm'
import { STORE_TONE, stateOf } from './words'

/** One user store: how it fares, what its groups give, who is in it. */
export function UserStorePage() {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const [address, setAddress] = useAddress()
  const [open, setOpen] = useState<'edit' | 'remove' | null>(null)
  const found = useQuery(userStoreQuery(id))
  const store = found.data
  const sync = useMutation({
    mutationFn: () => syncUserStore(id),
    onSuccess: () => told(t('userStores.syncAsked')),
    onError: (failure) => failed(text(failure)),
  })
  if (found.error && !store) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('users:manage', store?.organizationId)
  const state = store && stateOf(store)
  const wrong = store && (store.health.state === 'failing' ? store.health.error : store.health.syncError)
  return (
    <Page
      title={store?.name ?? '…'}
      crumbs={[{ label: t('places.userStores'), to: '/user-stores' }]}
      beside={
        store &&
        state && (
          <Group gap="md">
            <Status tone={STORE_TONE[state]}>{t(`userStores.state.${state}`)}</Status>
            <Text c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {store.health.server || store.servers[0]}
            </Text>
          </Group>
        )
      }
      calls={[{ path: `/api/v1/user-stores/${id}` }]}
      action={
        may &&
        store && (
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
              leftSection={<IconRefresh size={16} />}
              loading={sync.isPending}
              onClick={() => sync.mutate()}
            >
              {t('userStores.sync')}
            </Button>
            <Button leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          </>
        )
      }
    >
      {!store ? (
        <Skeleton height={360} />
      ) : (
        <Stack>
          {store.enabled && wrong && (
            <Alert color="red" icon={<IconAlertTriangle size={18} />} title={t('userStores.fails')}>
              {wrong}
            </Alert>
          )}
          <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="sm">
            <Figure label={t('userStores.people')} value={format.number(store.health.people)} />
            <Figure
              label={t('userStores.synced')}
              value={
                store.health.syncedAt ? (
                  <Time at={store.health.syncedAt} inherit />
                ) : (
                  t('userStores.notSynced')
                )
              }
            />
            <Figure label={t('userStores.mappings')} value={format.number(store.mappings.length)} />
          </SimpleGrid>
          <Tabs value={address.tab ?? 'settings'} onChange={(next) => setAddress({ tab: next ?? undefined })}>
            <Tabs.List mb="md">
              <Tabs.Tab value="settings">{t('fields.settings')}</Tabs.Tab>
              {may && <Tabs.Tab value="people">{t('userStores.people')}</Tabs.Tab>}
              {can('audit:read', store.organizationId) && (
                <Tabs.Tab value="timeline">{t('devices.timeline')}</Tabs.Tab>
              )}
            </Tabs.List>
            <Tabs.Panel value="settings">
              <Kept store={store} />
            </Tabs.Panel>
            <Tabs.Panel value="people">
              <People storeId={id} />
            </Tabs.Panel>
            <Tabs.Panel value="timeline">
              <Timeline subjectId={id} />
            </Tabs.Panel>
          </Tabs>
        </Stack>
      )}
      {open === 'edit' && store && <UserStoreForm store={store} onClose={() => setOpen(null)} />}
      {open === 'remove' && store && (
        <Confirm
          title={t('userStores.remove')}
          action={t('common.remove')}
          name={store.name}
          act={() => removeUserStore(id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['user-stores'] })
            go('/user-stores')
          }}
        >
          {t('userStores.removeAsk')}
        </Confirm>
      )}
    </Page>
  )
}

/** What a user store is set to. */
function Kept({ store }: { store: UserStore }) {
  const { t } = useTranslation()
  const groups = useQuery(groupsQuery(store.organizationId ?? undefined)).data?.items ?? []
  const named = (id: string) => groups.find((group) => group.id === id)?.name ?? id
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Panel title={t('userStores.address')}>
        <Facts
          rows={[
            [t('userStores.kind'), t(`userStores.kinds.${store.kind}`)],
            [t('userStores.mode'), t(`userStores.modes.${store.mode}`)],
            [t('userStores.servers'), store.servers.join(', ')],
            [t('userStores.base'), store.base],
            [t('userStores.bindName'), store.bindName || null],
            [t('userStores.prefix'), store.prefix],
            [t('userStores.domains'), store.domains.join(', ') || null],
            [t('userStores.newAccounts'), t(`userStores.newAccount.${store.newAccounts}`)],
          ]}
        />
      </Panel>
      <Panel title={t('userStores.mappings')}>
        <Facts
          rows={store.mappings.map((one): [string, string] => [
            one.group,
            one.permissionGroupIds.map(named).join(', '),
          ])}
        />
      </Panel>
    </SimpleGrid>
  )
}
