import { Box, Button, Group, Stack, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Invitation } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsQuery } from '@/features/organizations/queries'
import { Confirm } from '@/parts/Confirm'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { invitationsQuery, withdraw } from './queries'

/** Who was asked in and has not answered: all that is known is what the inviter typed. */
export function Invitations() {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const [ending, setEnding] = useState<Invitation | null>(null)
  const open = useQuery(invitationsQuery(organizationId)).data?.items ?? []
  const groups = useQuery(groupsQuery(organizationId)).data?.items ?? []
  if (open.length === 0) return null
  const nameOf = (id: string) => groups.find((group) => group.id === id)?.name ?? '…'
  return (
    <Box mb="md">
      <Panel title={t('invitations.title')}>
        <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: 'none' }}>
          {open.map((one) => (
            <Group key={one.id} component="li" justify="space-between" gap="xs">
              <Stack gap={0} miw={0} flex="1 1 260px">
                <Group gap="xs">
                  <Text fw={550} style={{ overflowWrap: 'anywhere' }}>
                    {one.email}
                  </Text>
                  <Status tone="waiting">{t('userState.invited')}</Status>
                </Group>
                <Text fz="sm" c="dimmed">
                  {[
                    one.name,
                    one.permissionGroupIds.map(nameOf).join(', '),
                    t('invitations.until', { until: format.instant(one.expiresAt, false) }),
                  ]
                    .filter(Boolean)
                    .join(' · ')}
                </Text>
              </Stack>
              {can('users:manage', one.organizationId) && (
                <Button size="compact-sm" variant="subtle" color="red" onClick={() => setEnding(one)}>
                  {t('invitations.withdraw')}
                </Button>
              )}
            </Group>
          ))}
        </Stack>
        {ending && (
          <Confirm
            title={t('invitations.withdraw')}
            action={t('invitations.withdraw')}
            act={() => withdraw(ending.id)}
            onClose={() => setEnding(null)}
            onDone={() => void client.invalidateQueries({ queryKey: ['invitations'] })}
          >
            {t('invitations.withdrawAsk', { email: ending.email })}
          </Confirm>
        )}
      </Panel>
    </Box>
  )
}
