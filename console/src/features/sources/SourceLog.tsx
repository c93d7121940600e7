import { Anchor, Drawer, Stack, Text } from '@mantine/core'
import { IconListDetails } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { SourceLogEntry } from '@/api/types'
import { useAddress } from '@/parts/address'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { Facts } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { listSourceLog } from './queries'
import { MESSAGE_TONE } from './words'

/** The latest messages of a source, and what became of each. */
export function SourceLog({ sourceId }: { sourceId: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<SourceLogEntry | null>(null)
  const refused = address.refused === 'true'
  const list = usePages(
    ['sources', sourceId, 'log', refused],
    (after) => listSourceLog(sourceId, refused, after),
    { refetchInterval: 3_000 },
  )
  const status = (entry: SourceLogEntry) => (
    <Status tone={MESSAGE_TONE[entry.outcome]}>{t(`sourceMessage.${entry.outcome}`)}</Status>
  )
  return (
    <>
      <DataList
        name="source-log"
        label={t('sources.log')}
        list={list}
        rowKey={(entry) => String(entry.n)}
        onOpen={setLooked}
        tools={
          <Filters
            name="source-log"
            value={{ refused: address.refused }}
            onChange={(next) => setAddress({ ...address, refused: next.refused })}
            filters={[
              {
                key: 'refused',
                label: t('messages.show'),
                options: [{ value: 'true', label: t('sources.onlyRefused') }],
              },
            ]}
          />
        }
        columns={[
          { key: 'at', label: t('targets.when'), width: '140px', cell: (entry) => <Time at={entry.at} /> },
          { key: 'outcome', label: t('messages.result'), width: '150px', cell: status },
          { key: 'topic', label: t('sources.topic'), width: '30%', cell: (entry) => entry.topic },
          {
            key: 'size',
            label: t('sources.size'),
            width: '90px',
            numeric: true,
            cell: (entry) => format.number(entry.size),
          },
          { key: 'detail', label: t('messages.detail'), cell: (entry) => entry.detail || '–' },
        ]}
        empty={
          <Empty icon={IconListDetails} title={t('sources.logEmptyTitle')}>
            {t('sources.logEmpty')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={480}
        title={t('sources.oneMessage')}
      >
        {looked && (
          <Stack>
            {status(looked)}
            {looked.detail && <Text>{looked.detail}</Text>}
            <Facts
              rows={[
                [t('targets.when'), format.instant(looked.at)],
                [t('sources.topic'), looked.topic],
                [t('sources.size'), format.number(looked.size)],
                [
                  t('fields.device'),
                  looked.deviceId && (
                    <Anchor key="device" component={Link} to={`/devices/${looked.deviceId}`}>
                      {t('operations.openDevice')}
                    </Anchor>
                  ),
                ],
              ]}
            />
            {looked.excerpt && <CodeBlock code={looked.excerpt} label={t('sources.excerpt')} />}
          </Stack>
        )}
      </Drawer>
    </>
  )
}
