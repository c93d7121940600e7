import {
  ActionIcon,
  Badge,
  Button,
  Group,
  Modal,
  Select,
  SimpleGrid,
  Skeleton,
  Stack,
  Table,
  Text,
} from '@mantine/core'
import { IconPencil, IconPlus, IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Member } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { apiKeysQuery, usersQuery } from '@/features/users/queries'
import { Confirm } from '@/parts/Confirm'
import { Failure, FormFailure, useFailureText } from '@/parts/Failure'
import { useGo } from '@/parts/go'
import { failed, told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { GroupForm } from './GroupForm'
import { addMember, groupQuery, membersQuery, removeGroup, removeMember } from './queries'

/** One permission group: what it gives, to whom. */
export function GroupPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const found = useQuery(groupQuery(id))
  const [open, setOpen] = useState<'edit' | 'remove' | 'member' | null>(null)
  const group = found.data
  const applications =
    useQuery({ ...applicationsQuery(group?.organizationId ?? undefined), enabled: !!group }).data?.items ?? []
  if (found.error) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('users:manage', group?.organizationId)
  const close = () => setOpen(null)
  return (
    <Page
      title={group?.name ?? '…'}
      crumbs={[{ label: t('places.permissions'), to: '/permissions' }]}
      calls={[{ path: `/api/v1/permissions/${id}` }, { path: `/api/v1/permissions/${id}/members` }]}
      action={
        may && (
          <>
            <Button variant="default" leftSection={<IconTrash size={16} />} onClick={() => setOpen('remove')}>
              {t('common.remove')}
            </Button>
            <Button leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          </>
        )
      }
    >
      {!group ? (
        <Skeleton height={280} />
      ) : (
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <Panel title={t('permissions.gives')}>
            <Facts
              rows={[
                [
                  t('fields.roles'),
                  <Group key="roles" gap={4}>
                    {group.roles.map((role) => (
                      <Badge key={role} variant="light" tt="none">
                        {t(`roles.${role}`)}
                      </Badge>
                    ))}
                  </Group>,
                ],
                [
                  t('permissions.singles'),
                  group.permissions.length
                    ? group.permissions.map((p) => t(`rights.${p.replace(':', '_')}` as never)).join(', ')
                    : '–',
                ],
                [
                  t('permissions.reach'),
                  group.everyApplication
                    ? t('permissions.everyApplication')
                    : group.applicationIds
                        .map((a) => applications.find((known) => known.id === a)?.name ?? a)
                        .join(', ') || t('permissions.noApplication'),
                ],
                [t('permissions.addNew'), group.addNewApplications ? t('common.yes') : t('common.no')],
              ]}
            />
          </Panel>
          <Panel
            title={t('fields.members')}
            action={
              may && (
                <Button
                  variant="light"
                  size="compact-sm"
                  leftSection={<IconPlus size={14} />}
                  onClick={() => setOpen('member')}
                >
                  {t('permissions.addMember')}
                </Button>
              )
            }
          >
            <Members id={id} may={may} />
          </Panel>
        </SimpleGrid>
      )}
      {open === 'edit' && group && <GroupForm group={group} onClose={close} />}
      {open === 'member' && <AddMember id={id} onClose={close} />}
      {open === 'remove' && group && (
        <Confirm
          title={t('permissions.remove')}
          action={t('common.remove')}
          name={group.name}
          act={() => removeGroup(id)}
          onClose={close}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['permissions'] })
            go('/permissions')
          }}
        >
          {t('permissions.removeAsk', { count: group.memberCount })}
        </Confirm>
      )}
    </Page>
  )
}

function Members({ id, may }: { id: string; may: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  const members = useQuery(membersQuery(id))
  const people = useQuery(usersQuery).data?.items ?? []
  const keys = useQuery(apiKeysQuery).data?.items ?? []
  const leave = useMutation({
    mutationFn: (member: Member) => removeMember(id, member.kind, member.id),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['permissions'] }),
    onError: (failure) => failed(text(failure)),
  })
  if (members.error) return <Failure of={members.error} />
  if (!members.data) return <Skeleton height={120} />
  if (members.data.length === 0) return <Text c="dimmed">{t('permissions.noMembers')}</Text>
  return (
    <Table>
      <Table.Tbody>
        {members.data.map((member) => {
          const person = people.find((p) => p.id === member.id)
          const name = person?.name ?? keys.find((key) => key.id === member.id)?.name ?? member.id
          return (
            <Table.Tr key={member.id}>
              <Table.Td>
                <Text>{name}</Text>
                <Text fz="sm" c="dimmed">
                  {member.kind === 'user' ? (person?.email ?? '') : t(`callerKind.${member.kind}`)}
                </Text>
              </Table.Td>
              <Table.Td w={48}>
                {may && (
                  <ActionIcon
                    aria-label={t('common.removeName', { name })}
                    onClick={() => leave.mutate(member)}
                  >
                    <IconTrash size={16} />
                  </ActionIcon>
                )}
              </Table.Td>
            </Table.Tr>
          )
        })}
      </Table.Tbody>
    </Table>
  )
}

function AddMember({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const people = useQuery(usersQuery).data?.items ?? []
  const [chosen, setChosen] = useState<string | null>(null)
  const add = useMutation({
    mutationFn: (userId: string) => addMember(id, userId),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['permissions'] })
      onClose()
    },
  })
  return (
    <Modal opened onClose={onClose} title={t('permissions.addMember')} centered>
      <Stack>
        <Select
          label={t('permissions.person')}
          searchable
          data-autofocus
          data={people.map((p) => ({ value: p.id, label: p.email ? `${p.name} (${p.email})` : p.name }))}
          value={chosen}
          onChange={setChosen}
          nothingFoundMessage={t('palette.nothing')}
        />
        <FormFailure of={add.error} />
        <Group justify="flex-end">
          <Button disabled={!chosen} loading={add.isPending} onClick={() => chosen && add.mutate(chosen)}>
            {t('common.add')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
