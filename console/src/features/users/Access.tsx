import { Anchor, List, Modal, Stack, Table, Text } from '@mantine/core'
import { IconEye } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Access as Held, Permission } from '@/api/types'
import { PERMISSIONS } from '@/features/organizations/words'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { listAccess } from './queries'

interface Props {
  organizationId: string
  /** Of what is asked; the organization as a whole without one. */
  applicationId?: string
  /** Whose own the device is that is asked about. */
  ownerId?: string
  /** What is asked first: who may see it. */
  first: Permission
}

/** Who may see, change or operate something, by which permission group, until when. */
export function Access({ organizationId, applicationId, ownerId, first }: Props) {
  const { t } = useTranslation()
  const format = useFormat()
  const [address, setAddress] = useAddress()
  const [opened, setOpened] = useState<Held | null>(null)
  const right = useRight()
  const permission = PERMISSIONS.find((p) => p === address.right) ?? first
  const filter = { organizationId, applicationId, ownerId, permission }
  const list = usePages(['access', filter], (after) => listAccess(filter, after))
  return (
    <>
      <DataList
        name="access"
        label={t('access.title')}
        list={list}
        rowKey={(held) => held.id}
        onOpen={setOpened}
        tools={
          <Filters
            name="access"
            value={{ right: permission }}
            onChange={(next) => setAddress({ ...address, right: next.right })}
            filters={[
              {
                key: 'right',
                label: t('access.may'),
                options: PERMISSIONS.map((p) => ({ value: p, label: right(p) })),
              },
            ]}
          />
        }
        columns={[
          { key: 'who', label: t('access.who'), cell: (held) => held.label },
          { key: 'kind', label: t('access.kind'), width: '120px', cell: (held) => t(`access.${held.kind}`) },
          {
            key: 'by',
            label: t('access.by'),
            cell: (held) =>
              held.paths
                .filter((path) => path.permissions.includes(permission))
                .map((path) => path.groupName)
                .join(', '),
          },
          {
            key: 'until',
            label: t('access.until'),
            width: '140px',
            cell: (held) => (held.until ? format.date(held.until) : t('access.always')),
          },
        ]}
        empty={
          <Empty icon={IconEye} title={t('access.emptyTitle')}>
            {t('access.empty')}
          </Empty>
        }
      />
      {opened && (
        <Modal opened onClose={() => setOpened(null)} title={opened.label} size="lg">
          <Paths of={opened} />
        </Modal>
      )}
    </>
  )
}

/** What one person or key holds there, group by group. */
function Paths({ of }: { of: Held }) {
  const { t } = useTranslation()
  const format = useFormat()
  const right = useRight()
  return (
    <Stack>
      <Text c="dimmed">{t('access.pathsLead')}</Text>
      <Table.ScrollContainer minWidth={420}>
        <Table verticalSpacing="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('access.by')}</Table.Th>
              <Table.Th>{t('access.gives')}</Table.Th>
              <Table.Th>{t('access.onlyHere')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {of.paths.map((path) => (
              <Table.Tr key={path.groupId} style={{ verticalAlign: 'top' }}>
                <Table.Td>
                  <Anchor component={Link} to={`/permissions/${path.groupId}`}>
                    {path.groupName}
                  </Anchor>
                  {path.through.map((above) => (
                    <Text key={above.groupId} fz="sm" c="dimmed">
                      {t(above.until ? 'access.throughUntil' : 'access.through', {
                        name: above.groupName,
                        until: above.until && format.date(above.until),
                      })}
                    </Text>
                  ))}
                  {path.byOwning.length > 0 && (
                    <Text fz="sm" c="dimmed">
                      {t('access.byOwning', { what: path.byOwning.map(right).join(', ') })}
                    </Text>
                  )}
                  {path.until && (
                    <Text fz="sm" c="dimmed">
                      {t('permissions.until', { until: format.instant(path.until, false) })}
                    </Text>
                  )}
                  {path.organizationId === null && (
                    <Text fz="sm" c="dimmed">
                      {t('access.installation')}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  <Rights of={path.permissions.map(right)} />
                </Table.Td>
                <Table.Td>
                  {path.onlyHere.length ? <Rights of={path.onlyHere.map(right)} /> : t('access.nothing')}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  )
}

function Rights({ of }: { of: string[] }) {
  return (
    <List fz="sm" spacing={2}>
      {of.map((words) => (
        <List.Item key={words}>{words}</List.Item>
      ))}
    </List>
  )
}

function useRight() {
  const { t } = useTranslation()
  return (permission: Permission) => t(`rights.${permission.replace(':', '_')}` as never) as string
}
