import { Button, Group, Menu, Modal, Select, SimpleGrid, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { IconDots, IconPencil, IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Task } from '@/api/types'
import { Timeline } from '@/features/audit/Timeline'
import { useSession } from '@/features/auth/session'
import { DeviceList } from '@/features/devices/DeviceList'
import { TopicRules } from '@/features/devices/TopicRules'
import { NoticeList } from '@/features/notifications/NoticeList'
import { KEPT, useKeptByDefault } from '@/features/organizations/Keeping'
import { useQuotaRows } from '@/features/organizations/Quotas'
import { organizationsQuery } from '@/features/organizations/queries'
import { TaskModal } from '@/features/tasks/TaskModal'
import { Access } from '@/features/users/Access'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { CopyValue } from '@/parts/Copy'
import { Failure, FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { ApplicationForm } from './ApplicationForm'
import { applicationQuery, moveApplication, removeApplication } from './queries'
import { STATUS_TONE } from './words'

/** One application: its devices, what is wrong, what it is. */
export function ApplicationPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const quotaRows = useQuotaRows()
  const [address, setAddress] = useAddress()
  const [open, setOpen] = useState<'edit' | 'move' | 'remove' | null>(null)
  const [task, setTask] = useState<Task | null>(null)
  // While it is being removed it is not asked for again.
  const found = useQuery({ ...applicationQuery(id), enabled: task === null })
  const keptByDefault = useKeptByDefault(found.data?.organizationId)
  if (found.error) return <Failure of={found.error} retry={() => void found.refetch()} />
  const application = found.data
  const may = can('applications:manage', application?.organizationId)
  const close = () => setOpen(null)
  const leave = () => go('/applications')
  const tab = address.tab ?? 'devices'
  return (
    <Page
      title={application?.name ?? '…'}
      beside={
        application && (
          <Status tone={STATUS_TONE[application.status]}>
            {t(`applicationStatus.${application.status}`)}
          </Status>
        )
      }
      lead={application?.description}
      crumbs={[{ label: t('places.applications'), to: '/applications' }]}
      calls={[
        { path: `/api/v1/applications/${id}` },
        { path: '/api/v1/devices', query: { applicationId: id } },
      ]}
      action={
        <>
          {may && (
            <Menu position="bottom-end" shadow="md">
              <Menu.Target>
                <Button variant="default" px={9} aria-label={t('common.more')}>
                  <IconDots size={17} />
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={() => setOpen('move')}>{t('applications.move')}</Menu.Item>
                <Menu.Item c="red" onClick={() => setOpen('remove')}>
                  {t('common.remove')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
          {may && (
            <Button variant="default" leftSection={<IconPencil size={16} />} onClick={() => setOpen('edit')}>
              {t('common.edit')}
            </Button>
          )}
          {can('devices:manage') && (
            <Button
              component={Link}
              to="/connect"
              search={{ application: id } as never}
              leftSection={<IconPlugConnected size={16} />}
            >
              {t('connect.short')}
            </Button>
          )}
        </>
      }
    >
      <Tabs value={tab} onChange={(next) => setAddress({ tab: next ?? undefined })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="devices">
            {t('places.devices')} {application ? `(${format.number(application.deviceCount)})` : ''}
          </Tabs.Tab>
          <Tabs.Tab value="notices">{t('places.notices')}</Tabs.Tab>
          <Tabs.Tab value="topics">{t('topicRules.title')}</Tabs.Tab>
          <Tabs.Tab value="about">{t('common.about')}</Tabs.Tab>
          {can('users:read', application?.organizationId) && (
            <Tabs.Tab value="access">{t('access.title')}</Tabs.Tab>
          )}
          {can('audit:read') && <Tabs.Tab value="timeline">{t('devices.timeline')}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="devices">
          <DeviceList applicationId={id} />
        </Tabs.Panel>
        <Tabs.Panel value="notices">
          <NoticeList applicationId={id} />
        </Tabs.Panel>
        <Tabs.Panel value="topics">
          <TopicRules applicationId={id} may={can('devices:manage', application?.organizationId)} />
        </Tabs.Panel>
        <Tabs.Panel value="access">
          {application && (
            <Access organizationId={application.organizationId} applicationId={id} first="devices:read" />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="timeline">
          <Timeline subjectId={id} />
        </Tabs.Panel>
        <Tabs.Panel value="about">
          {!application ? (
            <Skeleton height={240} />
          ) : (
            <SimpleGrid cols={{ base: 1, lg: 2 }}>
              <Panel title={t('common.about')}>
                <Facts
                  rows={[
                    [t('fields.category'), application.category || null],
                    [t('fields.owner'), application.owner || null],
                    [t('fields.startDate'), application.startDate && format.date(application.startDate)],
                    [t('fields.endDate'), application.endDate && format.date(application.endDate)],
                    [t('fields.hardware'), application.hardware || null],
                    [t('fields.controlledProperties'), application.controlledProperties.join(', ') || null],
                    [t('fields.deviceKinds'), application.deviceKinds.join(', ') || null],
                    [t('fields.personalData'), application.personalData ? t('common.yes') : t('common.no')],
                    [
                      t('fields.contacts'),
                      application.contacts.length
                        ? application.contacts.map((c) => (
                            <div key={c.name}>
                              {[c.name, c.role, c.email, c.phone].filter(Boolean).join(', ')}
                            </div>
                          ))
                        : null,
                    ],
                    ...Object.entries(application.metadata).map(([key, value]): [string, string] => [
                      key,
                      value,
                    ]),
                  ]}
                />
              </Panel>
              <Panel title={t('applications.limits')}>
                <Facts
                  rows={[
                    ...KEPT.map((what): [string, string] => [
                      t(`fields.${what}`),
                      application[what] ? format.duration(application[what]) : keptByDefault(what),
                    ]),
                    [
                      t('fields.silentAfter'),
                      application.silentAfter
                        ? format.duration(application.silentAfter)
                        : t('applications.silentDefault'),
                    ],
                    [t('fields.encodeCommands'), t(application.encodeCommands ? 'common.yes' : 'common.no')],
                    ...quotaRows(application.quotas),
                    [t('fields.id'), <CopyValue key="id" value={application.id} />],
                    [t('fields.createdAt'), <Time key="c" at={application.createdAt} />],
                    [t('fields.updatedAt'), <Time key="u" at={application.updatedAt} />],
                  ]}
                />
              </Panel>
            </SimpleGrid>
          )}
        </Tabs.Panel>
      </Tabs>
      {open === 'edit' && application && <ApplicationForm application={application} onClose={close} />}
      {open === 'move' && application && <Move id={id} from={application.organizationId} onClose={close} />}
      {open === 'remove' && application && (
        <Confirm
          title={t('applications.remove')}
          action={t('common.remove')}
          name={application.name}
          act={async () => setTask(await removeApplication(id))}
          onClose={close}
        >
          {t('applications.removeAsk', { count: application.deviceCount })}
        </Confirm>
      )}
      {task && <TaskModal id={task.id} title={t('applications.remove')} onClose={leave} onDone={leave} />}
    </Page>
  )
}

function Move({ id, from, onClose }: { id: string; from: string; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const [to, setTo] = useState<string | null>(null)
  const move = useMutation({
    mutationFn: (organization: string) => moveApplication(id, organization),
    onSuccess: () => {
      void client.invalidateQueries()
      onClose()
    },
  })
  return (
    <Modal opened onClose={onClose} title={t('applications.move')} centered>
      <Stack>
        <Text c="dimmed">{t('applications.moveHelp')}</Text>
        <Select
          label={t('fields.organization')}
          searchable
          data={organizations.filter((o) => o.id !== from).map((o) => ({ value: o.id, label: o.name }))}
          value={to}
          onChange={setTo}
        />
        <FormFailure of={move.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button disabled={!to} loading={move.isPending} onClick={() => to && move.mutate(to)}>
            {t('common.move')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
