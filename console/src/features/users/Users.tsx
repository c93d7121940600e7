import { Button, Drawer, Text } from '@mantine/core'
import { IconPlus, IconUsers } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { User } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { AccessRequests } from '@/features/identity_providers/AccessRequests'
import { useAddress, useMaking } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { Page } from '@/parts/Page'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { Invitations } from './Invitations'
import { Invite } from './Invite'
import { listUsers } from './queries'
import { UserView } from './UserView'

export type UserState = 'active' | 'closed' | 'invited' | 'expired'

export const USER_TONE: Record<UserState, Tone> = {
  active: 'good',
  invited: 'waiting',
  closed: 'quiet',
  expired: 'paused',
}

const LANGUAGE_NAMES: Record<string, string> = { da: 'Dansk', en: 'English' }

/** Sum up whether a person can sign in. */
export function userState(user: User, now = Date.now()): UserState {
  if (!user.active) return 'closed'
  if (user.expiresAt && Date.parse(user.expiresAt) <= now) return 'expired'
  return user.signedInAt ? 'active' : 'invited'
}

/** The people in reach. */
export function Users() {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const [address, setAddress] = useAddress()
  const [inviting, setInviting] = useMaking()
  const setLooked = (id: string | undefined) => setAddress({ ...address, user: id })
  const filter = {
    q: address.q,
    organizationId,
    active: address.active ? address.active === 'true' : undefined,
  }
  const list = usePages(['users', 'list', filter], (after) => listUsers(filter, after))
  const user = list.items.find((one) => one.id === address.user)
  const invite = can('users:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setInviting(true)}>
      {t('users.invite')}
    </Button>
  )
  return (
    <Page
      title={t('places.users')}
      lead={t('users.lead')}
      action={invite}
      calls={[{ path: '/api/v1/users', query: filter }]}
    >
      <AccessRequests />
      <Invitations />
      <DataList
        name="users"
        label={t('places.users')}
        list={list}
        rowKey={(one) => one.id}
        onOpen={(one) => setLooked(one.id)}
        tools={
          <Filters
            name="users"
            search="q"
            value={{ q: address.q, active: address.active }}
            onChange={setAddress}
            filters={[
              {
                key: 'active',
                label: t('users.accounts'),
                options: [
                  { value: 'true', label: t('users.open') },
                  { value: 'false', label: t('users.closed') },
                ],
              },
            ]}
          />
        }
        columns={[
          { key: 'name', label: t('fields.name'), cell: (one) => one.name },
          { key: 'email', label: t('fields.email'), cell: (one) => one.email ?? '–' },
          {
            key: 'state',
            label: t('fields.state'),
            width: '160px',
            cell: (one) => (
              <Status tone={USER_TONE[userState(one)]}>{t(`userState.${userState(one)}`)}</Status>
            ),
          },
          {
            key: 'signedInAt',
            label: t('users.lastSignIn'),
            width: '150px',
            cell: (one) => <Time at={one.signedInAt} />,
          },
          {
            key: 'language',
            label: t('frame.language'),
            width: '110px',
            extra: true,
            cell: (one) => <Text>{LANGUAGE_NAMES[one.language ?? ''] ?? '–'}</Text>,
          },
          {
            key: 'createdAt',
            label: t('fields.createdAt'),
            width: '130px',
            extra: true,
            cell: (one) => <Time at={one.createdAt} />,
          },
        ]}
        empty={
          <Empty icon={IconUsers} title={t('users.emptyTitle')} action={invite}>
            {t('users.empty')}
          </Empty>
        }
      />
      <Drawer
        opened={user !== undefined}
        onClose={() => setLooked(undefined)}
        position="right"
        size={460}
        title={user?.name}
        transitionProps={{ duration: 120 }}
      >
        {user && <UserView user={user} onGone={() => setLooked(undefined)} />}
      </Drawer>
      {inviting && <Invite onClose={() => setInviting(false)} />}
    </Page>
  )
}
