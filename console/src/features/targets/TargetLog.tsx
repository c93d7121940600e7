import { Anchor, Drawer, Stack, Text } from '@mantine/core'
import { IconListDetails } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useAddress } from '@/parts/address'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { Facts } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { listTargetLog } from './queries'
import { OUTCOME_TONE } from './words'

type Entry = Awaited<ReturnType<typeof listTargetLog>>['items'][number]

/** The latest attempts: every failure, a sample of successes. */
export function TargetLog({ targetId }: { targetId: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<Entry | null>(null)
  const failures = address.failures === 'true'
  const list = usePages(
    ['targets', targetId, 'log', failures],
    (after) => listTargetLog(targetId, failures, after),
    {
      refetchInterval: 5_000,
    },
  )
  return (
    <>
      <DataList
        name="target-log"
        label={t('targets.log')}
        list={list}
        rowKey={(entry) => String(entry.n)}
        onOpen={setLooked}
        tools={
          <Filters
            name="target-log"
            value={{ failures: address.failures }}
            onChange={(next) => setAddress({ ...address, failures: next.failures })}
            filters={[
              {
                key: 'failures',
                label: t('messages.show'),
                options: [{ value: 'true', label: t('targets.onlyFailures') }],
              },
            ]}
          />
        }
        columns={[
          { key: 'at', label: t('targets.when'), width: '140px', cell: (entry) => <Time at={entry.at} /> },
          {
            key: 'outcome',
            label: t('messages.result'),
            width: '150px',
            cell: (entry) => (
              <Status tone={OUTCOME_TONE[entry.outcome] ?? 'quiet'}>{t(`outcome.${entry.outcome}`)}</Status>
            ),
          },
          {
            key: 'status',
            label: t('targets.code'),
            width: '90px',
            numeric: true,
            cell: (entry) => entry.status ?? '–',
          },
          {
            key: 'latency',
            label: t('targets.latency'),
            width: '110px',
            numeric: true,
            cell: (entry) => `${format.number(entry.latencyMs, 0)} ms`,
          },
          {
            key: 'attempt',
            label: t('targets.attempt'),
            width: '90px',
            numeric: true,
            cell: (entry) => entry.attempt,
          },
          { key: 'detail', label: t('messages.detail'), cell: (entry) => entry.detail || '–' },
        ]}
        empty={
          <Empty icon={IconListDetails} title={t('targets.logEmptyTitle')}>
            {t('targets.logEmpty')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={480}
        title={t('targets.oneAttempt')}
      >
        {looked && (
          <Stack>
            <Status tone={OUTCOME_TONE[looked.outcome] ?? 'quiet'}>{t(`outcome.${looked.outcome}`)}</Status>
            {looked.detail && <Text>{looked.detail}</Text>}
            <Facts
              rows={[
                [t('targets.when'), format.instant(looked.at)],
                [
                  t('fields.device'),
                  looked.deviceId && (
                    <Anchor key="device" component={Link} to={`/devices/${looked.deviceId}`}>
                      {t('operations.openDevice')}
                    </Anchor>
                  ),
                ],
                [t('messages.id'), looked.messageId],
                [t('targets.key'), looked.key],
                [t('targets.attempt'), String(looked.attempt)],
                [t('targets.code'), looked.status === null ? null : String(looked.status)],
              ]}
            />
            {looked.answer && <CodeBlock code={looked.answer} label={t('operations.answer')} />}
          </Stack>
        )}
      </Drawer>
    </>
  )
}
