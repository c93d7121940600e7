import { Anchor } from '@mantine/core'
import { IconShieldCheck } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFormat } from '@/parts/format'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { listRefusals } from './queries'
import { useRefusalText } from './words'

/** What the doors turned away: of one's devices, and, for an administrator, of strangers. */
export function Refusals() {
  const { t } = useTranslation()
  const format = useFormat()
  const say = useRefusalText()
  const list = usePages(['refusals', 'list'], (after) => listRefusals({}, after), { refetchInterval: 5_000 })
  return (
    <Page
      title={t('places.refusals')}
      lead={t('messages.refusedLead')}
      calls={[{ path: '/api/v1/refusals' }]}
    >
      <DataList
        name="refusals"
        label={t('places.refusals')}
        list={list}
        rowKey={(r) => r.id}
        columns={[
          {
            key: 'reason',
            width: '210px',
            label: t('messages.why'),
            cell: (r) => <Status tone="warning">{say(r.reason)}</Status>,
          },
          {
            key: 'detail',
            label: t('messages.detail'),
            cell: (r) => [r.detail, r.hint].filter(Boolean).join(' ') || '–',
          },
          {
            key: 'device',
            label: t('fields.device'),
            width: '140px',
            cell: (r) =>
              r.deviceId ? (
                <Anchor component={Link} to={`/devices/${r.deviceId}`}>
                  {t('operations.openDevice')}
                </Anchor>
              ) : (
                t('messages.stranger')
              ),
          },
          {
            key: 'protocol',
            label: t('messages.protocol'),
            width: '100px',
            cell: (r) => r.protocol.toUpperCase(),
          },
          { key: 'address', label: t('devices.address'), width: '130px', cell: (r) => r.address },
          {
            key: 'count',
            label: t('messages.times'),
            width: '90px',
            numeric: true,
            cell: (r) => format.number(r.count),
          },
          { key: 'lastAt', label: t('list.last'), width: '130px', cell: (r) => <Time at={r.lastAt} /> },
        ]}
        empty={
          <Empty icon={IconShieldCheck} title={t('messages.noneRefused')}>
            {t('messages.noneRefusedHelp')}
          </Empty>
        }
      />
    </Page>
  )
}
