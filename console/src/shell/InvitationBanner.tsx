import { Alert, Button, Group } from '@mantine/core'
import { IconMailOpened } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { answerInvitation, myInvitationsQuery } from '@/features/users/queries'
import { useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { failed, told } from '@/parts/notify'
import classes from './Frame.module.css'

/** Ask on every page whether one follows an invitation, until one has answered. */
export function InvitationBanner() {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const client = useQueryClient()
  const { me } = useSession()
  const open = useQuery({ ...myInvitationsQuery, enabled: me.user !== null }).data?.items ?? []
  const answer = useMutation({
    mutationFn: ({ id, how }: { id: string; how: 'accept' | 'decline' }) => answerInvitation(id, how),
    onSuccess: (_, { how }) => {
      told(t(how === 'accept' ? 'invitations.accepted' : 'invitations.declined'))
      // What one may see has changed everywhere.
      void client.invalidateQueries()
    },
    onError: (failure) => {
      failed(text(failure))
      void client.invalidateQueries({ queryKey: myInvitationsQuery.queryKey })
    },
  })
  return open.map((one) => (
    <Alert
      key={one.id}
      className={classes.banner}
      icon={<IconMailOpened size={18} />}
      title={t('invitations.received', {
        organization: one.organizationName ?? t('invitations.installation'),
      })}
    >
      <Group gap="xs" justify="space-between">
        <span>
          {[
            one.invitedBy && t('invitations.by', { who: one.invitedBy }),
            one.permissionGroups.length > 0 &&
              t('invitations.groups', { groups: one.permissionGroups.join(', ') }),
            t('invitations.until', { until: format.instant(one.expiresAt, false) }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
        <Group gap="xs">
          <Button
            size="compact-md"
            loading={answer.isPending}
            onClick={() => answer.mutate({ id: one.id, how: 'accept' })}
          >
            {t('invitations.accept')}
          </Button>
          <Button
            size="compact-md"
            variant="default"
            disabled={answer.isPending}
            onClick={() => answer.mutate({ id: one.id, how: 'decline' })}
          >
            {t('invitations.decline')}
          </Button>
        </Group>
      </Group>
    </Alert>
  ))
}
