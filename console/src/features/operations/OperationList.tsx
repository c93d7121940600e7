import { ActionIcon, Anchor, Drawer, Stack, Text, Tooltip } from '@mantine/core'
import { IconTerminal2, IconX } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Growing } from '@/api/pages'
import type { Operation } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { Bytes } from '@/parts/Bytes'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { fromHex } from '@/parts/hex'
import { failed } from '@/parts/notify'
import { Facts } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { cancelOperation } from './queries'
import { isOpen, OPERATION_TONE } from './words'

interface Props {
  list: Growing<Operation>
  name: string
  tools?: ReactNode
  /** Show which device each one went to. */
  withDevice?: boolean
}

/** Operations and how far each one is. */
export function OperationList({ list, name, tools, withDevice }: Props) {
  const { t } = useTranslation()
  const { can } = useSession()
  const client = useQueryClient()
  const text = useFailureText()
  const [looked, setLooked] = useState<Operation | null>(null)
  const cancel = useMutation({
    mutationFn: cancelOperation,
    onSettled: () => void client.invalidateQueries({ queryKey: ['operations'] }),
    onError: (failure) => failed(text(failure)),
  })
  return (
    <>
      <DataList
        name={name}
        label={t('places.operations')}
        list={list}
        rowKey={(o) => o.id}
        onOpen={setLooked}
        tools={tools}
        columns={[
          {
            key: 'code',
            label: t('operations.command'),
            cell: (o) => (
              <Text span ff="monospace" fz="sm">
                {o.code}
              </Text>
            ),
          },
          {
            key: 'state',
            label: t('fields.state'),
            width: '150px',
            cell: (o) => <Status tone={OPERATION_TONE[o.state]}>{t(`operationState.${o.state}`)}</Status>,
          },
          ...(withDevice
            ? [
                {
                  key: 'device',
                  label: t('fields.device'),
                  cell: (o: Operation) => (
                    <Anchor component={Link} to={`/devices/${o.deviceId}?tab=operations`}>
                      {t('operations.openDevice')}
                    </Anchor>
                  ),
                },
              ]
            : []),
          {
            key: 'result',
            label: t('operations.answer'),
            cell: (o) =>
              o.problem ?? (o.result === null || o.result === undefined ? '–' : JSON.stringify(o.result)),
          },
          {
            key: 'createdAt',
            label: t('operations.asked'),
            width: '130px',
            cell: (o) => <Time at={o.createdAt} />,
          },
          {
            key: 'finishedAt',
            label: t('operations.finished'),
            width: '130px',
            cell: (o) => <Time at={o.finishedAt} />,
          },
          {
            key: 'cancel',
            label: '',
            width: '56px',
            cell: (o) =>
              isOpen(o.state) &&
              can('devices:operate', o.organizationId) && (
                <Tooltip label={t('operations.cancel')}>
                  <ActionIcon aria-label={t('operations.cancel')} onClick={() => cancel.mutate(o.id)}>
                    <IconX size={16} />
                  </ActionIcon>
                </Tooltip>
              ),
          },
        ]}
        empty={
          <Empty icon={IconTerminal2} title={t('operations.emptyTitle')}>
            {t('operations.empty')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={460}
        title={looked?.code}
        overlayProps={{ opacity: 0.15 }}
        transitionProps={{ duration: 120 }}
      >
        {looked && <OperationView operation={looked} />}
      </Drawer>
    </>
  )
}

/** Show what a decoder made of a command. */
export function SentBytes({ hex, title }: { hex: string; title: string }) {
  return (
    <div>
      <Text fw={500} fz="sm" mb={4}>
        {title}
      </Text>
      <Bytes bytes={fromHex(hex) ?? new Uint8Array()} />
    </div>
  )
}

/** Name the decoder that encoded a command, in the version that did. */
export function EncodedBy({ id, hash }: { id: string; hash: string | null }) {
  const { t } = useTranslation()
  return (
    <Anchor component={Link} to={`/decoders/${id}`} fz="sm">
      {hash ? t('operations.version', { hash: hash.slice(0, 12) }) : t('fields.decoder')}
    </Anchor>
  )
}

function OperationView({ operation: o }: { operation: Operation }) {
  const { t } = useTranslation()
  return (
    <Stack>
      <Status tone={OPERATION_TONE[o.state]}>{t(`operationState.${o.state}`)}</Status>
      {o.problem && <Text>{o.problem}</Text>}
      <Facts
        rows={[
          [t('operations.asked'), <Time key="a" at={o.createdAt} />],
          [t('operations.sent'), <Time key="s" at={o.sentAt} />],
          [t('operations.delivered'), <Time key="d" at={o.deliveredAt} />],
          [t('operations.finished'), <Time key="f" at={o.finishedAt} />],
          [t('operations.expires'), <Time key="e" at={o.expiresAt} />],
          [t('operations.attempts'), String(o.attempts)],
          [t('operations.port'), o.port === null ? null : String(o.port)],
          [
            t('operations.decoder'),
            o.decoderId && <EncodedBy key="by" id={o.decoderId} hash={o.decoderHash} />,
          ],
        ]}
      />
      {o.bytes !== null && <SentBytes hex={o.bytes} title={t('operations.sentBytes')} />}
      {o.payload !== null && o.payload !== undefined && (
        <CodeBlock code={JSON.stringify(o.payload, null, 2)} label={t('operations.payload')} />
      )}
      {o.result !== null && o.result !== undefined && (
        <CodeBlock code={JSON.stringify(o.result, null, 2)} label={t('operations.answer')} />
      )}
    </Stack>
  )
}
