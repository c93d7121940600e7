import { Box, Button, Group, MultiSelect, Stack, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AccessRequest } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsQuery } from '@/features/organizations/queries'
import { Confirm } from '@/parts/Confirm'
import { FormModal } from '@/parts/FormModal'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { acceptRequest, accessRequestsQuery, rejectRequest } from './queries'

/** Who signed in at an identity provider and waits to be let in here. */
export function AccessRequests() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const [answering, setAnswering] = useState<{ one: AccessRequest; yes: boolean } | null>(null)
  const open = useQuery(accessRequestsQuery(organizationId)).data?.items ?? []
  if (open.length === 0) return null
  const done = () => {
    void client.invalidateQueries({ queryKey: ['access-requests'] })
    void client.invalidateQueries({ queryKey: ['users'] })
  }
  return (
    <Box mb="md">
      <Panel title={t('accessRequests.title')}>
        <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: 'none' }}>
          {open.map((one) => (
            <Group key={one.id} component="li" justify="space-between" gap="xs">
              <Stack gap={0} miw={0} flex="1 1 260px">
                <Group gap="xs">
                  <Text fw={550} style={{ overflowWrap: 'anywhere' }}>
                    {one.name}
                  </Text>
                  <Status tone="waiting">{t('accessRequests.waits')}</Status>
                </Group>
                <Text fz="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                  {[one.email, one.providerName, ...one.groups.slice(0, 5)].filter(Boolean).join(' · ')}
                </Text>
                <Text fz="sm" c="dimmed">
                  <Time at={one.createdAt} />
                </Text>
              </Stack>
              {can('users:manage', one.organizationId) && (
                <Group gap="xs">
                  <Button size="compact-sm" onClick={() => setAnswering({ one, yes: true })}>
                    {t('accessRequests.accept')}
                  </Button>
                  <Button
                    size="compact-sm"
                    variant="subtle"
                    color="red"
                    onClick={() => setAnswering({ one, yes: false })}
                  >
                    {t('accessRequests.reject')}
                  </Button>
                </Group>
              )}
            </Group>
          ))}
        </Stack>
        {answering?.yes && <Accept one={answering.one} onClose={() => setAnswering(null)} onDone={done} />}
        {answering && !answering.yes && (
          <Confirm
            title={t('accessRequests.reject')}
            action={t('accessRequests.reject')}
            act={() => rejectRequest(answering.one.id)}
            onClose={() => setAnswering(null)}
            onDone={done}
          >
            {t('accessRequests.rejectAsk', { name: answering.one.name })}
          </Confirm>
        )}
      </Panel>
    </Box>
  )
}

/** Let somebody in to permission groups. */
function Accept({ one, onClose, onDone }: { one: AccessRequest; onClose: () => void; onDone: () => void }) {
  const { t } = useTranslation()
  const [chosen, setChosen] = useState<string[]>([])
  const groups = useQuery(groupsQuery(one.organizationId ?? undefined)).data?.items ?? []
  const accept = useMutation({
    mutationFn: () => acceptRequest(one.id, chosen),
    onSuccess: () => {
      told(t('accessRequests.accepted', { name: one.name }))
      onDone()
      onClose()
    },
  })
  return (
    <FormModal
      title={t('accessRequests.acceptTitle', { name: one.name })}
      action={t('accessRequests.accept')}
      onSubmit={(event) => {
        event?.preventDefault()
        accept.mutate()
      }}
      onClose={onClose}
      pending={accept.isPending}
      failure={accept.error}
    >
      <MultiSelect
        label={t('places.permissions')}
        description={t('accessRequests.groupsHelp')}
        searchable
        data-autofocus
        data={groups.map((group) => ({ value: group.id, label: group.name }))}
        value={chosen}
        onChange={setChosen}
      />
    </FormModal>
  )
}
