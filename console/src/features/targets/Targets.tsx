import { Button } from '@mantine/core'
import { IconPlus, IconSend2 } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { listTargets } from './queries'
import { TargetForm } from './TargetForm'
import { stateOf, TARGET_TONE } from './words'

/** Where messages go next. */
export function Targets() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const filter = { q: address.q, organizationId }
  const list = usePages(['targets', 'list', filter], (after) => listTargets(filter, after), {
    refetchInterval: 5_000,
  })
  const make = can('targets:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAddress({ ...address, new: 'true' })}>
      {t('targets.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.targets')}
      lead={t('targets.lead')}
      action={make}
      calls={[{ path: '/api/v1/targets', query: filter }]}
    >
      <DataList
        name="targets"
        label={t('places.targets')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => go(`/targets/${one.id}`)}
        tools={<Filters name="targets" search="q" value={{ q: address.q }} onChange={setAddress} />}
        columns={[
          { key: 'name', label: t('fields.name'), width: '22%', cell: (one) => one.name },
          {
            key: 'state',
            label: t('fields.state'),
            width: '170px',
            cell: (one) => (
              <Status tone={TARGET_TONE[stateOf(one)]}>{t(`targetState.${stateOf(one)}`)}</Status>
            ),
          },
          { key: 'kind', label: t('fields.kind'), width: '90px', cell: (one) => one.kind.toUpperCase() },
          {
            key: 'application',
            label: t('fields.application'),
            cell: (one) => applications.find((a) => a.id === one.applicationId)?.name ?? '–',
          },
          {
            key: 'pending',
            label: t('targets.pending'),
            numeric: true,
            width: '110px',
            cell: (one) => format.number(one.pending),
          },
          {
            key: 'dead',
            label: t('targets.deadLetters'),
            numeric: true,
            width: '120px',
            cell: (one) => format.number(one.deadLetters),
          },
          {
            key: 'accepted',
            label: t('targets.lastAccepted'),
            width: '150px',
            cell: (one) => <Time at={one.health.acceptedAt} />,
          },
        ]}
        empty={
          <Empty icon={IconSend2} title={t('targets.emptyTitle')} action={make}>
            {t('targets.empty')}
          </Empty>
        }
      />
      {address.new && (
        <TargetForm
          onClose={() => setAddress({ ...address, new: undefined })}
          onMade={(made) => go(`/targets/${made.id}`)}
        />
      )}
    </Page>
  )
}
