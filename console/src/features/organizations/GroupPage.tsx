import {
  ActionIcon,
  Anchor,
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
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Member } from '@/api/types'
import { shares } from '@/features/auth/holds'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { apiKeysQuery, usersQuery } from '@/features/users/queries'
import { Confirm } from '@/parts/Confirm'
import { DayInput } from '@/parts/DayInput'
import { Failure, FormFailure, useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { failed, told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { GroupForm } from './GroupForm'
import { addMember, groupQuery, groupsQuery, membersQuery, removeGroup, removeMember } from './queries'

/** One permission group: what it gives, to whom. */
export function GroupPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams({ strict: false })
  const { can, me } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const found = useQuery(groupQuery(id))
  const [open, setOpen] = useState<'edit' | 'remove' | 'member' | null>(null)
  const group = found.data
  const applications =
    useQuery({ ...applicationsQuery(group?.organizationId ?? undefined), enabled: !!group }).data?.items ?? []
  if (found.error) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('users:manage', group?.organizationId) || (!!group && shares(me.grants, group))
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
                    : group.ownDevices
                      ? t('permissions.ownDevices')
                      : group.applicationIds
                          .map((a) => applications.find((known) => known.id === a)?.name ?? a)
                          .join(', ') || t('permissions.noApplication'),
                ],
                [t('permissions.provenOnly'), group.provenOnly ? t('common.yes') : t('common.no')],
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
            <Members id={id} organizationId={group.organizationId} may={may} />
          </Panel>
        </SimpleGrid>
      )}
      {open === 'edit' && group && <GroupForm group={group} onClose={close} />}
      {open === 'member' && group && (
        <AddMember id={id} organizationId={group.organizationId} onClose={close} />
      )}
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

interface Inside {
  id: string
  organizationId: string | null
}

function Members({ id, organizationId, may }: Inside & { may: boolean }) {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const text = useFailureText()
  const members = useQuery(membersQuery(id))
  const people = useQuery(usersQuery).data?.items ?? []
  const keys = useQuery(apiKeysQuery).data?.items ?? []
  const groups = useQuery(groupsQuery(organizationId ?? undefined)).data?.items ?? []
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
          const known = person ?? [...keys, ...groups].find((one) => one.id === member.id)
          const name = known?.name ?? member.id
          return (
            <Table.Tr key={member.id}>
              <Table.Td>
                {member.kind === 'group' ? (
                  <Anchor component={Link} to={`/permissions/${member.id}`}>
                    {name}
                  </Anchor>
                ) : (
                  <Text>{name}</Text>
                )}
                <Text fz="sm" c="dimmed">
                  {member.kind === 'user'
                    ? (person?.email ?? '')
                    : member.kind === 'group'
                      ? t('permissions.allItsMembers')
                      : t(`callerKind.${member.kind}`)}
                </Text>
                {member.until && (
                  <Text fz="sm" c="dimmed">
                    {t('permissions.until', { until: format.instant(member.until, false) })}
                  </Text>
                )}
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

function AddMember({ id, organizationId, onClose }: Inside & { onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const people = useQuery(usersQuery).data?.items ?? []
  // Groups of the whole installation stand for themselves.
  const groups = useQuery({ ...groupsQuery(organizationId ?? undefined), enabled: !!organizationId })
  const others = groups.data?.items.filter((group) => group.id !== id) ?? []
  const [chosen, setChosen] = useState<string | null>(null)
  const [until, setUntil] = useState<string | null>(null)
  const kind = others.some((group) => group.id === chosen) ? 'group' : 'user'
  const add = useMutation({
    mutationFn: (member: string) => addMember(id, { kind, id: member, until }),
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
          label={t('permissions.personOrGroup')}
          description={kind === 'group' ? t('permissions.groupJoins') : undefined}
          searchable
          data-autofocus
          data={[
            {
              group: t('permissions.people'),
              items: people.map((p) => ({ value: p.id, label: p.email ? `${p.name} (${p.email})` : p.name })),
            },
            {
              group: t('places.permissions'),
              items: others.map((group) => ({ value: group.id, label: group.name })),
            },
          ]}
          value={chosen}
          onChange={setChosen}
          nothingFoundMessage={t('palette.nothing')}
        />
        <DayInput
          label={t('permissions.lastDay')}
          description={t('permissions.lastDayHelp')}
          value={until}
          onChange={setUntil}
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
