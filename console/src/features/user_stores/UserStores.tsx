import { Button } from '@mantine/core'
import { IconAddressBook, IconPlus } from '@tabler/icons-react'
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
import { Time } from '@/parts/Time'
import { listUserStores } from './queries'
import { UserStoreForm } from './UserStoreForm'
import { STORE_TONE, stateOf } from './words'

/** The directories that people come from. */
export function UserStores() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const filter = { q: address.q, organizationId }
  const list = usePages(['user-stores', 'list', filter], (after) => listUserStores(filter, after), {
    refetchInterval: 10_000,
  })
  const make = can('users:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAddress({ ...address, new: 'true' })}>
      {t('userStores.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.userStores')}
      lead={t('userStores.lead')}
      action={make}
      calls={[{ path: '/api/v1/user-stores', query: filter }]}
    >
      <DataList
        name="user-stores"
        label={t('places.userStores')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => go(`/user-stores/${one.id}`)}
        tools={<Filters name="user-stores" search="q" value={{ q: address.q }} onChange={setAddress} />}
        columns={[
          { key: 'name', label: t('fields.name'), width: '24%', cell: (one) => one.name },
          {
            key: 'state',
            label: t('fields.state'),
            width: '190px',
            cell: (one) => (
              <Status tone={STORE_TONE[stateOf(one)]}>{t(`userStores.state.${stateOf(one)}`)}</Status>
            ),
          },
          { key: 'prefix', label: t('userStores.prefix'), width: '120px', cell: (one) => one.prefix },
          { key: 'domains', label: t('userStores.domains'), cell: (one) => one.domains.join(', ') },
          {
            key: 'people',
            label: t('userStores.people'),
            numeric: true,
            width: '110px',
            cell: (one) => format.number(one.health.people),
          },
          {
            key: 'synced',
            label: t('userStores.synced'),
            width: '160px',
            cell: (one) => <Time at={one.health.syncedAt} />,
          },
        ]}
        empty={
          <Empty icon={IconAddressBook} title={t('userStores.emptyTitle')} action={make}>
            {t('userStores.empty')}
          </Empty>
        }
      />
      {address.new && (
        <UserStoreForm
          onClose={() => setAddress({ ...address, new: undefined })}
          onMade={(made) => go(`/user-stores/${made.id}`)}
        />
      )}
    </Page>
  )
}
