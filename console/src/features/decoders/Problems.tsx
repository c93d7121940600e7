import { Anchor, Text } from '@mantine/core'
import { IconCircleCheck } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFormat } from '@/parts/format'
import { Time } from '@/parts/Time'
import { listProblems } from './queries'

/** Which devices' messages a decoder could not do. */
export function Problems({ decoderId }: { decoderId: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const list = usePages(['decoders', decoderId, 'problems'], (after) => listProblems(decoderId, after), {
    refetchInterval: 10_000,
  })
  return (
    <DataList
      name="decoder-problems"
      label={t('decoders.problems')}
      list={list}
      rowKey={(p) => p.deviceId}
      columns={[
        {
          key: 'device',
          label: t('fields.device'),
          width: '22%',
          cell: (p) => (
            <Anchor component={Link} to={`/devices/${p.deviceId}?tab=messages&problems=true`}>
              {p.deviceName}
            </Anchor>
          ),
        },
        {
          key: 'message',
          label: t('decoders.lastProblem'),
          cell: (p) => (
            <Text span ff="monospace" fz="sm">
              {p.message}
            </Text>
          ),
        },
        {
          key: 'count',
          label: t('messages.times'),
          numeric: true,
          width: '100px',
          cell: (p) => format.number(p.count),
        },
        { key: 'lastAt', label: t('list.last'), width: '140px', cell: (p) => <Time at={p.lastAt} /> },
      ]}
      empty={
        <Empty icon={IconCircleCheck} title={t('decoders.noProblemsTitle')}>
          {t('decoders.noProblems')}
        </Empty>
      }
    />
  )
}
