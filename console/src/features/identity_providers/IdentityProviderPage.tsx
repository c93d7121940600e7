import { Button, Menu, SimpleGrid, Skeleton, Stack, Tabs } from '@mantine/core'
import { IconDots, IconPencil } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { IdentityProvider } from '@/api/types'
import { Timeline } from '@/features/audit/Timeline'
import { useSession } from '@/features/auth/session'
import { groupsQuery } from '@/features/organizations/queries'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { Failure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { IdentityProviderForm } from './IdentityProviderForm'
import { identityProviderQuery, removeIdentityProvider } from './queries'
import { SamlKeys } from './SamlKeys'
import { SamlThere, useSamlRows } from './SamlPanels'

/** One identity provider: how it is spoken with, what its groups give, what it has to be told. */
export function IdentityProviderPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const [address, setAddress] = useAddress()
  const [open, setOpen] = useState<'edit' | 'remove' | null>(null)
  const found = useQuery(identityProviderQuery(id))
  const provider = found.data
  if (found.error && !provider) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('users:manage', provider?.organizationId)
  return (
    <Page
      title={provider?.name ?? '…'}
      crumbs={[{ label: t('places.identityProviders'), to: '/identity-providers' }]}
      beside={
        provider && (
          <Status tone={provider.enabled ? 'good' : 'paused'}>
            {t(provider.enabled ? 'identityProviders.on' : 'identityProviders.off')}
          </Status>
        )
      }
      calls={[{ path: `/api/v1/identity-providers/${id}` }]}
      action={
        may &&
        provider && (
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
            <Button leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          </>
        )
      }
    >
      {!provider ? (
        <Skeleton height={360} />
      ) : (
        <Stack>
          <Tabs value={address.tab ?? 'settings'} onChange={(next) => setAddress({ tab: next ?? undefined })}>
            <Tabs.List mb="md">
              <Tabs.Tab value="settings">{t('fields.settings')}</Tabs.Tab>
              {can('audit:read', provider.organizationId) && (
                <Tabs.Tab value="timeline">{t('devices.timeline')}</Tabs.Tab>
              )}
            </Tabs.List>
            <Tabs.Panel value="settings">
              <Kept provider={provider} may={may} />
            </Tabs.Panel>
            <Tabs.Panel value="timeline">
              <Timeline subjectId={id} />
            </Tabs.Panel>
          </Tabs>
        </Stack>
      )}
      {open === 'edit' && provider && (
        <IdentityProviderForm provider={provider} onClose={() => setOpen(null)} />
      )}
      {open === 'remove' && provider && (
        <Confirm
          title={t('identityProviders.remove')}
          action={t('common.remove')}
          name={provider.name}
          act={() => removeIdentityProvider(id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['identity-providers'] })
            go('/identity-providers')
          }}
        >
          {t('identityProviders.removeAsk')}
        </Confirm>
      )}
    </Page>
  )
}

/** What a provider is set to, and what is to be set there. */
function Kept({ provider, may }: { provider: IdentityProvider; may: boolean }) {
  const { t } = useTranslation()
  const format = useFormat()
  const groups = useQuery(groupsQuery(provider.organizationId ?? undefined)).data?.items ?? []
  const named = (id: string) => groups.find((group) => group.id === id)?.name ?? id
  const samlRows = useSamlRows()
  const spoken = provider.openIdConnect
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Panel title={t('identityProviders.here')}>
        <Facts
          rows={[
            ...(provider.saml
              ? samlRows(provider.saml)
              : ([
                  [t('identityProviders.protocol'), 'OpenID Connect'],
                  [t('identityProviders.issuer'), spoken?.issuer ?? null],
                  [t('identityProviders.clientId'), spoken?.clientId ?? null],
                  [t('identityProviders.scopes'), spoken?.scopes.join(' ') ?? null],
                  [t('identityProviders.groupsClaim'), spoken?.groupsClaim ?? null],
                ] as [string, string | null][])),
            [t('identityProviders.newAccounts'), t(`identityProviders.newAccount.${provider.newAccounts}`)],
            [t('identityProviders.required'), provider.required.join(', ') || null],
            [t('identityProviders.provenBy'), provider.provenBy.join(', ') || null],
            [t('userStores.domains'), provider.domains.join(', ') || null],
            [t('userStores.people'), format.number(provider.people)],
          ]}
        />
      </Panel>
      <Stack>
        {provider.saml ? (
          <>
            <SamlThere provider={provider} />
            <SamlKeys providerId={provider.id} may={may} />
          </>
        ) : (
          <OpenIdConnectThere provider={provider} />
        )}
        <Panel title={t('userStores.mappings')}>
          <Facts
            rows={provider.mappings.map((one): [string, string] => [
              one.group,
              one.permissionGroupIds.map(named).join(', '),
            ])}
          />
        </Panel>
      </Stack>
    </SimpleGrid>
  )
}

/** What a provider by OpenID Connect has to be told of us. */
function OpenIdConnectThere({ provider }: { provider: IdentityProvider }) {
  const { t } = useTranslation()
  const base = `${window.location.origin}/api/v1/auth/single-sign-on`
  return (
    <Panel title={t('identityProviders.there')}>
      <Facts
        rows={[
          [t('identityProviders.redirectUri'), `${base}/callback`],
          [t('identityProviders.afterSignOut'), `${window.location.origin}/sign-in`],
          [t('identityProviders.backChannel'), `${base}/back-channel-logout`],
          [t('identityProviders.directLink'), `${window.location.origin}/sign-in?provider=${provider.id}`],
        ]}
      />
    </Panel>
  )
}
