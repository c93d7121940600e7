import { Anchor, Button } from '@mantine/core'
import { IconCircleCheck } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { useAcknowledge } from './acknowledge'
import { listNotices } from './queries'
import { NOTICE_TONE, placeOf, useNoticeText } from './words'

interface Props {
  applicationId?: string
  deviceId?: string
}

/** Notices with their filter. */
export function NoticeList({ applicationId, deviceId }: Props) {
  const { t } = useTranslation()
  const { organizationId, can } = useSession()
  const [address, setAddress] = useAddress()
  const say = useNoticeText()
  const acknowledge = useAcknowledge()
  const state = address.state ?? 'open'
  const filter = {
    state: state === 'all' ? undefined : state,
    organizationId: applicationId || deviceId ? undefined : organizationId,
    applicationId,
    subjectId: deviceId,
  }
  const list = usePages(['notices', 'list', filter], (after) => listNotices(filter, after), {
    refetchInterval: 10_000,
  })
  return (
    <DataList
      name="notices"
      label={t('places.notices')}
      list={list}
      rowKey={(n) => n.id}
      tools={
        <Filters
          name="notices"
          value={{ state }}
          onChange={(next) => setAddress({ ...address, state: next.state ?? 'all' })}
          filters={[
            {
              key: 'state',
              label: t('fields.state'),
              options: (['open', 'acknowledged', 'cleared', 'all'] as const).map((s) => ({
                value: s,
                label: t(`noticeState.${s}`),
              })),
            },
          ]}
        />
      }
      bulk={
        can('devices:manage')
          ? (selected, clear) => (
              <Button
                size="compact-sm"
                onClick={() => acknowledge.mutate(selected, { onSuccess: clear })}
                loading={acknowledge.isPending}
              >
                {t('notices.acknowledge')}
              </Button>
            )
          : undefined
      }
      columns={[
        {
          key: 'what',
          label: t('notices.what'),
          width: '34%',
          cell: (n) => <Status tone={n.state === 'cleared' ? 'good' : NOTICE_TONE}>{say(n)}</Status>,
        },
        {
          key: 'subject',
          label: t('notices.subject'),
          cell: (n) =>
            placeOf(n) ? (
              <Anchor component={Link} to={placeOf(n) ?? '/'}>
                {n.subjectName}
              </Anchor>
            ) : (
              n.subjectName
            ),
        },
        { key: 'state', label: t('fields.state'), width: '140px', cell: (n) => t(`noticeState.${n.state}`) },
        { key: 'openedAt', label: t('notices.since'), width: '130px', cell: (n) => <Time at={n.openedAt} /> },
        {
          key: 'clearedAt',
          label: t('notices.clearedAt'),
          width: '130px',
          extra: true,
          cell: (n) => <Time at={n.clearedAt} />,
        },
      ]}
      empty={
        <Empty icon={IconCircleCheck} title={t('notices.emptyTitle')}>
          {t('notices.empty')}
        </Empty>
      }
    />
  )
}
