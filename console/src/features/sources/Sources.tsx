import { Button } from '@mantine/core'
import { IconAntenna, IconPlus } from '@tabler/icons-react'
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
import { listSources } from './queries'
import { SourceForm } from './SourceForm'
import { SOURCE_TONE, stateOf } from './words'

/** The brokers that messages are fetched from. */
export function Sources() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const filter = { q: address.q, organizationId }
  const list = usePages(['sources', 'list', filter], (after) => listSources(filter, after), {
    refetchInterval: 5_000,
  })
  const make = can('sources:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAddress({ ...address, new: 'true' })}>
      {t('sources.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.sources')}
      lead={t('sources.lead')}
      action={make}
      calls={[{ path: '/api/v1/sources', query: filter }]}
    >
      <DataList
        name="sources"
        label={t('places.sources')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => go(`/sources/${one.id}`)}
        tools={<Filters name="sources" search="q" value={{ q: address.q }} onChange={setAddress} />}
        columns={[
          { key: 'name', label: t('fields.name'), width: '22%', cell: (one) => one.name },
          {
            key: 'state',
            label: t('fields.state'),
            width: '190px',
            cell: (one) => (
              <Status tone={SOURCE_TONE[stateOf(one)]}>{t(`sourceState.${stateOf(one)}`)}</Status>
            ),
          },
          { key: 'url', label: t('sources.broker'), cell: (one) => one.url },
          {
            key: 'taken',
            label: t('sources.taken'),
            numeric: true,
            width: '120px',
            cell: (one) => format.number(one.health.taken),
          },
          {
            key: 'refused',
            label: t('sources.refused'),
            numeric: true,
            width: '120px',
            cell: (one) => format.number(one.health.refused),
          },
          {
            key: 'last',
            label: t('sources.lastMessage'),
            width: '160px',
            cell: (one) => <Time at={one.health.lastMessageAt} />,
          },
        ]}
        empty={
          <Empty icon={IconAntenna} title={t('sources.emptyTitle')} action={make}>
            {t('sources.empty')}
          </Empty>
        }
      />
      {address.new && (
        <SourceForm
          onClose={() => setAddress({ ...address, new: undefined })}
          onMade={(made) => go(`/sources/${made.id}`)}
        />
      )}
    </Page>
  )
}
