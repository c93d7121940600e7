import { ActionIcon, Button, Group, Stack, TextInput, Tooltip } from '@mantine/core'
import { IconHistoryToggle, IconX } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { askReplay, cancelReplay, listReplays } from './queries'

const TONES: Record<string, Tone> = { waiting: 'waiting', running: 'info', done: 'good', cancelled: 'quiet' }

/** Send what was received in a period once more. */
export function Replays({ targetId, may }: { targetId: string; may: boolean }) {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const list = usePages(['targets', targetId, 'replays'], (after) => listReplays(targetId, after), {
    refetchInterval: 2_000,
  })
  const refresh = () => void client.invalidateQueries({ queryKey: ['targets', targetId, 'replays'] })
  const ask = useMutation({
    mutationFn: () => askReplay(targetId, new Date(from).toISOString(), new Date(to).toISOString()),
    onSuccess: () => told(t('replays.asked')),
    onSettled: refresh,
  })
  const cancel = useMutation({ mutationFn: (id: string) => cancelReplay(targetId, id), onSettled: refresh })
  return (
    <Stack>
      {may && (
        <Panel title={t('replays.ask')}>
          <Stack>
            <Group align="flex-end">
              <TextInput
                type="datetime-local"
                label={t('replays.from')}
                value={from}
                onChange={(event) => setFrom(event.currentTarget.value)}
              />
              <TextInput
                type="datetime-local"
                label={t('replays.to')}
                value={to}
                onChange={(event) => setTo(event.currentTarget.value)}
              />
              <Button
                disabled={!from || !to || from >= to}
                loading={ask.isPending}
                onClick={() => ask.mutate()}
              >
                {t('replays.start')}
              </Button>
            </Group>
            <FormFailure of={ask.error ?? cancel.error} />
          </Stack>
        </Panel>
      )}
      <DataList
        name="replays"
        label={t('replays.title')}
        list={list}
        rowKey={(one) => one.id}
        columns={[
          {
            key: 'period',
            label: t('replays.period'),
            width: '40%',
            cell: (one) => `${format.instant(one.fromAt, false)} – ${format.instant(one.toAt, false)}`,
          },
          {
            key: 'state',
            label: t('fields.state'),
            width: '140px',
            cell: (one) => (
              <Status tone={TONES[one.state] ?? 'quiet'}>{t(`replayState.${one.state}`)}</Status>
            ),
          },
          {
            key: 'count',
            label: t('replays.count'),
            numeric: true,
            cell: (one) => format.number(one.enqueued),
          },
          {
            key: 'createdAt',
            label: t('operations.asked'),
            width: '140px',
            cell: (one) => <Time at={one.createdAt} />,
          },
          {
            key: 'cancel',
            label: '',
            width: '56px',
            cell: (one) =>
              may &&
              (one.state === 'waiting' || one.state === 'running') && (
                <Tooltip label={t('replays.cancel')}>
                  <ActionIcon aria-label={t('replays.cancel')} onClick={() => cancel.mutate(one.id)}>
                    <IconX size={16} />
                  </ActionIcon>
                </Tooltip>
              ),
          },
        ]}
        empty={
          <Empty icon={IconHistoryToggle} title={t('replays.emptyTitle')}>
            {t('replays.empty')}
          </Empty>
        }
      />
    </Stack>
  )
}
