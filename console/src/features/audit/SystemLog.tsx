import { Button, Text } from '@mantine/core'
import { IconCircleCheck, IconCloudUpload } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useAddress } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { Page } from '@/parts/Page'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { LEVELS, listSystemLog } from './queries'

const TONES: Record<string, Tone> = { warning: 'warning', error: 'bad', critical: 'bad' }

/** Warnings and errors of the installation's own processes. */
export function SystemLog() {
  const { t } = useTranslation()
  const [address, setAddress] = useAddress()
  const filter = { level: address.level, q: address.q }
  const list = usePages(['system-log', filter], (after) => listSystemLog(filter, after), {
    refetchInterval: 10_000,
  })
  return (
    <Page
      title={t('places.systemLog')}
      lead={t('systemLog.lead')}
      action={
        <Button
          component={Link}
          to="/log-collectors"
          variant="default"
          leftSection={<IconCloudUpload size={16} />}
        >
          {t('places.collectors')}
        </Button>
      }
      calls={[{ path: '/api/v1/system-log', query: filter }]}
    >
      <DataList
        name="system-log"
        label={t('places.systemLog')}
        list={list}
        rowKey={(line) => String(line.id)}
        tools={
          <Filters
            name="system-log"
            search="q"
            value={filter}
            onChange={setAddress}
            filters={[
              {
                key: 'level',
                label: t('systemLog.level'),
                options: LEVELS.map((level) => ({ value: level, label: t(`level.${level}`) })),
              },
            ]}
          />
        }
        columns={[
          {
            key: 'level',
            label: t('systemLog.level'),
            width: '130px',
            cell: (line) => (
              <Status tone={TONES[line.level] ?? 'info'}>{t(`level.${line.level}` as never)}</Status>
            ),
          },
          {
            key: 'event',
            label: t('systemLog.event'),
            width: '24%',
            cell: (line) => (
              <Text span ff="monospace" fz="sm">
                {line.event}
              </Text>
            ),
          },
          {
            key: 'detail',
            label: t('messages.detail'),
            cell: (line) => (
              <Text span ff="monospace" fz="sm">
                {Object.entries(line.detail)
                  .map(
                    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
                  )
                  .join(' ') || '–'}
              </Text>
            ),
          },
          { key: 'part', label: t('systemLog.part'), width: '120px', cell: (line) => line.part },
          {
            key: 'component',
            label: t('systemLog.component'),
            width: '160px',
            extra: true,
            cell: (line) => line.component,
          },
          { key: 'at', label: t('targets.when'), width: '140px', cell: (line) => <Time at={line.at} /> },
        ]}
        empty={
          <Empty icon={IconCircleCheck} title={t('systemLog.emptyTitle')}>
            {t('systemLog.empty')}
          </Empty>
        }
      />
    </Page>
  )
}
