import { Button } from '@mantine/core'
import { IconLogin2, IconPlus } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { IdentityProviderForm } from './IdentityProviderForm'
import { listIdentityProviders } from './queries'

/** Who says who people are: identity providers for single sign-on. */
export function IdentityProviders() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const filter = { q: address.q, organizationId }
  const list = usePages(['identity-providers', 'list', filter], (after) =>
    listIdentityProviders(filter, after),
  )
  const make = can('users:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAddress({ ...address, new: 'true' })}>
      {t('identityProviders.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.identityProviders')}
      lead={t('identityProviders.lead')}
      action={make}
      calls={[{ path: '/api/v1/identity-providers', query: filter }]}
    >
      <DataList
        name="identity-providers"
        label={t('places.identityProviders')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => go(`/identity-providers/${one.id}`)}
        tools={
          <Filters name="identity-providers" search="q" value={{ q: address.q }} onChange={setAddress} />
        }
        columns={[
          { key: 'name', label: t('fields.name'), width: '26%', cell: (one) => one.name },
          {
            key: 'state',
            label: t('fields.state'),
            width: '120px',
            cell: (one) => (
              <Status tone={one.enabled ? 'good' : 'paused'}>
                {t(one.enabled ? 'identityProviders.on' : 'identityProviders.off')}
              </Status>
            ),
          },
          {
            key: 'issuer',
            label: t('identityProviders.issuer'),
            cell: (one) =>
              one.openIdConnect?.issuer ?? one.saml?.entityId ?? one.saml?.metadataUrl ?? 'SAML 2.0',
          },
          {
            key: 'people',
            label: t('userStores.people'),
            numeric: true,
            width: '110px',
            cell: (one) => format.number(one.people),
          },
        ]}
        empty={
          <Empty icon={IconLogin2} title={t('identityProviders.emptyTitle')} action={make}>
            {t('identityProviders.empty')}
          </Empty>
        }
      />
      {address.new && (
        <IdentityProviderForm
          onClose={() => setAddress({ ...address, new: undefined })}
          onMade={(made) => go(`/identity-providers/${made.id}`)}
        />
      )}
    </Page>
  )
}
