import { Button } from '@mantine/core'
import { IconPlus, IconRouter } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { BrokerForm } from './BrokerForm'
import { listBrokers } from './queries'
import { BROKER_TONE, kindOf, stateOf } from './words'

/** The brokers that devices connect to in place of the platform's own door. */
export function Brokers() {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const filter = { q: address.q, organizationId }
  const list = usePages(['brokers', 'list', filter], (after) => listBrokers(filter, after), {
    refetchInterval: 10_000,
  })
  const make = can('sources:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAddress({ ...address, new: 'true' })}>
      {t('brokers.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.brokers')}
      lead={t('brokers.lead')}
      action={make}
      calls={[{ path: '/api/v1/brokers', query: filter }]}
    >
      <DataList
        name="brokers"
        label={t('places.brokers')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => go(`/brokers/${one.id}`)}
        tools={<Filters name="brokers" search="q" value={{ q: address.q }} onChange={setAddress} />}
        columns={[
          { key: 'name', label: t('fields.name'), cell: (one) => one.name },
          {
            key: 'state',
            label: t('fields.state'),
            width: '210px',
            cell: (one) => (
              <Status tone={BROKER_TONE[stateOf(one)]}>{t(`brokerState.${stateOf(one)}`)}</Status>
            ),
          },
          { key: 'kind', label: t('fields.kind'), width: '240px', cell: (one) => kindOf(one) },
          {
            key: 'asked',
            label: t('brokers.askedAt'),
            width: '160px',
            cell: (one) => <Time at={one.askedAt} />,
          },
        ]}
        empty={
          <Empty icon={IconRouter} title={t('brokers.emptyTitle')} action={make}>
            {t('brokers.empty')}
          </Empty>
        }
      />
      {address.new && (
        <BrokerForm
          onClose={() => setAddress({ ...address, new: undefined })}
          onMade={(made) => go(`/brokers/${made.id}`)}
        />
      )}
    </Page>
  )
}
