import { Drawer, Group, Stack, Text } from '@mantine/core'
import { IconMessage2 } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Message } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { Deliveries } from '@/features/targets/Deliveries'
import { useAddress } from '@/parts/address'
import { Bytes } from '@/parts/Bytes'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Download } from '@/parts/Download'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { fromBase64, toHex } from '@/parts/hex'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { useValueText, type Value } from './LatestValues'
import { listMessagesOf } from './queries'
import { Result } from './Result'

/** A device's messages, as received and what came of them. */
export function Messages({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useValueText()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<Message | null>(null)
  const problems = address.problems === 'true'
  const list = usePages(
    ['messages', deviceId, problems],
    (after) => listMessagesOf(deviceId, problems, after),
    { refetchInterval: 5_000 },
  )
  return (
    <>
      <DataList
        name="device-messages"
        label={t('places.messages')}
        list={list}
        rowKey={(m) => m.position}
        onOpen={setLooked}
        tools={
          <Group gap="xs">
            <Filters
              name="device-messages"
              value={{ problems: address.problems }}
              onChange={(next) => setAddress({ ...address, problems: next.problems })}
              filters={[
                {
                  key: 'problems',
                  label: t('messages.show'),
                  options: [{ value: 'true', label: t('messages.onlyProblems') }],
                },
              ]}
            />
            <Download
              path={() => `/api/v1/devices/${deviceId}/messages`}
              name="messages"
              forms={['ndjson']}
            />
          </Group>
        }
        columns={[
          {
            key: 'at',
            label: t('messages.received'),
            width: '140px',
            cell: (m) => <Time at={m.receivedAt ?? m.at} />,
          },
          {
            key: 'result',
            label: t('messages.result'),
            width: '140px',
            cell: (m) => <Result problem={m.problem} values={m.values} />,
          },
          {
            key: 'values',
            label: t('messages.values'),
            cell: (m) =>
              Object.entries(m.values)
                .map(([series, value]) => `${series} ${text(value as Value)}`)
                .join(' · ') || '–',
          },
          {
            key: 'payload',
            label: t('messages.payload'),
            cell: (m) => (
              <Text span ff="monospace" fz="sm">
                {m.text ?? (m.payload ? toHex(fromBase64(m.payload)) : t('messages.gone'))}
              </Text>
            ),
          },
          {
            key: 'channel',
            label: t('messages.channel'),
            width: '110px',
            extra: true,
            cell: (m) => m.channel || '–',
          },
          {
            key: 'protocol',
            label: t('messages.protocol'),
            width: '90px',
            cell: (m) => m.protocol?.toUpperCase() ?? '–',
          },
          {
            key: 'size',
            label: t('messages.size'),
            width: '90px',
            numeric: true,
            extra: true,
            cell: (m) => (m.size === null ? '–' : format.bytes(m.size)),
          },
        ]}
        empty={
          <Empty icon={IconMessage2} title={t('messages.emptyTitle')}>
            {t('messages.empty')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={520}
        title={t('messages.one')}
        overlayProps={{ opacity: 0.15 }}
        transitionProps={{ duration: 120 }}
      >
        {looked && <MessageView deviceId={deviceId} message={looked} />}
      </Drawer>
    </>
  )
}

interface ViewProps {
  deviceId: string
  message: Message
  document?: unknown
}

/** One message: bytes, what came of them, where they went, how it travelled. */
export function MessageView({ deviceId, message, document }: ViewProps) {
  const { t } = useTranslation()
  const { can } = useSession()
  const format = useFormat()
  const text = useValueText()
  const values = Object.entries(message.values)
  return (
    <Stack>
      {message.problem && <Status tone="bad">{t('messages.problemLong')}</Status>}
      <Panel title={t('messages.asReceived')}>
        {message.payload === null ? (
          <Text c="dimmed">{t('messages.goneLong')}</Text>
        ) : (
          <Bytes bytes={fromBase64(message.payload)} />
        )}
      </Panel>
      {values.length > 0 && (
        <Panel title={t('messages.values')}>
          <Facts rows={values.map(([series, value]) => [series, text(value as Value)])} />
        </Panel>
      )}
      {document !== null && document !== undefined && (
        <Panel title={t('trial.document')}>
          <CodeBlock code={JSON.stringify(document, null, 2)} label={t('trial.document')} />
        </Panel>
      )}
      {can('targets:read') && message.messageId !== null && (
        <Deliveries deviceId={deviceId} position={message.position} />
      )}
      <Panel title={t('messages.transport')}>
        <Facts
          rows={[
            [t('messages.received'), message.receivedAt && format.instant(message.receivedAt)],
            [t('messages.deviceTime'), format.instant(message.at)],
            [t('messages.protocol'), message.protocol?.toUpperCase() ?? null],
            [t('messages.channel'), message.channel || null],
            [t('messages.contentType'), message.contentType],
            [t('messages.id'), message.messageId],
            [t('messages.position'), message.position],
            ...Object.entries(message.meta ?? {}).map(([key, value]): [string, string] => [
              key,
              typeof value === 'string' ? value : JSON.stringify(value),
            ]),
          ]}
        />
      </Panel>
    </Stack>
  )
}
