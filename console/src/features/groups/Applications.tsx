import { Button } from '@mantine/core'
import { IconApps, IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { ApplicationForm } from './ApplicationForm'
import { listApplications } from './queries'
import { STATUS_TONE, STATUSES } from './words'

/** The applications in reach. */
export function Applications() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const { q, status, new: making, sort = 'name' } = address
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const filter = { q, status, organizationId }
  const list = usePages(['applications', 'list', filter, sort], (after) =>
    listApplications(filter, sort, after),
  )
  const make = can('applications:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAddress({ ...address, new: 'true' })}>
      {t('applications.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.applications')}
      lead={t('applications.lead')}
      action={make}
      calls={[{ path: '/api/v1/applications', query: { ...filter, sort } }]}
    >
      <DataList
        name="applications"
        label={t('places.applications')}
        list={list}
        rowKey={(a) => a.id}
        sort={sort}
        onSort={(next) => setAddress({ ...address, sort: next })}
        onOpen={(a) => go(`/applications/${a.id}`)}
        tools={
          <Filters
            name="applications"
            search="q"
            value={{ q, status }}
            onChange={(next) => setAddress({ ...next, sort: address.sort })}
            filters={[
              {
                key: 'status',
                label: t('fields.status'),
                options: STATUSES.map((s) => ({ value: s, label: t(`applicationStatus.${s}`) })),
              },
            ]}
          />
        }
        columns={[
          { key: 'name', label: t('fields.name'), sort: 'name', cell: (a) => a.name },
          {
            key: 'status',
            label: t('fields.status'),
            width: '150px',
            cell: (a) => <Status tone={STATUS_TONE[a.status]}>{t(`applicationStatus.${a.status}`)}</Status>,
          },
          {
            key: 'devices',
            label: t('places.devices'),
            numeric: true,
            width: '100px',
            cell: (a) => format.number(a.deviceCount),
          },
          {
            key: 'organization',
            label: t('fields.organization'),
            cell: (a) => organizations.find((o) => o.id === a.organizationId)?.name ?? '–',
          },
          { key: 'category', label: t('fields.category'), extra: true, cell: (a) => a.category || '–' },
          { key: 'owner', label: t('fields.owner'), cell: (a) => a.owner || '–' },
          {
            key: 'updatedAt',
            label: t('fields.updatedAt'),
            width: '130px',
            cell: (a) => <Time at={a.updatedAt} />,
          },
        ]}
        empty={
          <Empty icon={IconApps} title={t('applications.emptyTitle')} action={make}>
            {t('applications.empty')}
          </Empty>
        }
      />
      {making && (
        <ApplicationForm
          onClose={() => setAddress({ ...address, new: undefined })}
          onMade={(made) => go(`/applications/${made.id}`)}
        />
      )}
    </Page>
  )
}
