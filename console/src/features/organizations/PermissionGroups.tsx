import { Badge, Button, Group } from '@mantine/core'
import { IconPlus, IconUsersGroup } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { useMaking } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { GroupForm } from './GroupForm'
import { listGroups, organizationsQuery } from './queries'

/** The permission groups in reach. */
export function PermissionGroups() {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [making, setMaking] = useMaking()
  const list = usePages(['permissions', 'list', organizationId], (after) => listGroups(organizationId, after))
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const make = (can('users:manage') || (can('users:read') && can('applications:manage'))) && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      {t('permissions.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.permissions')}
      lead={t('permissions.lead')}
      action={make}
      calls={[{ path: '/api/v1/permissions', query: { organizationId } }]}
    >
      <DataList
        name="permissions"
        label={t('places.permissions')}
        list={list}
        rowKey={(g) => g.id}
        onOpen={(g) => go(`/permissions/${g.id}`)}
        columns={[
          { key: 'name', label: t('fields.name'), cell: (g) => g.name },
          {
            key: 'organization',
            label: t('fields.organization'),
            cell: (g) =>
              g.organizationId
                ? (organizations.find((o) => o.id === g.organizationId)?.name ?? '–')
                : t('permissions.installation'),
          },
          {
            key: 'roles',
            label: t('fields.roles'),
            cell: (g) => (
              <Group gap={4}>
                {g.roles.map((role) => (
                  <Badge key={role} variant="light" tt="none">
                    {t(`roles.${role}`)}
                  </Badge>
                ))}
                {g.permissions.length > 0 && (
                  <Badge variant="light" color="gray" tt="none">
                    {t('permissions.single', { count: g.permissions.length })}
                  </Badge>
                )}
              </Group>
            ),
          },
          {
            key: 'reach',
            label: t('permissions.reach'),
            cell: (g) =>
              g.everyApplication
                ? t('permissions.everyApplication')
                : g.ownDevices
                  ? t('permissions.ownDevices')
                  : t('permissions.someApplications', { count: g.applicationIds.length }),
          },
          {
            key: 'members',
            label: t('fields.members'),
            width: '110px',
            numeric: true,
            cell: (g) => g.memberCount,
          },
        ]}
        empty={
          <Empty icon={IconUsersGroup} title={t('permissions.emptyTitle')} action={make}>
            {t('permissions.empty')}
          </Empty>
        }
      />
      {making && <GroupForm onClose={() => setMaking(false)} />}
    </Page>
  )
}
