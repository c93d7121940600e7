import { Button, Group, NumberInput, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Outcome, TrialBody } from '@/api/types'
import { DeviceSearch } from '@/features/devices/DeviceSearch'
import { useValueText } from '@/features/telemetry/LatestValues'
import { listMessagesOf } from '@/features/telemetry/queries'
import { unitText } from '@/features/telemetry/units'
import { CodeBlock } from '@/parts/Copy'
import { FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { fromHex } from '@/parts/hex'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { tryDecoder } from './queries'
import { asTrial } from './trials'

interface Props {
  decoderId: string
  kind: string
  /** What stands in the editor; tried as it is, before it is saved. */
  script?: string
}

const STORED = 10

/** Try a decoder on typed bytes or on what a device sent; nothing is kept. */
export function Trial({ decoderId, kind, script }: Props) {
  const { t } = useTranslation()
  const format = useFormat()
  const [from, setFrom] = useState<'typed' | 'stored'>('typed')
  const [encoding, setEncoding] = useState<'hex' | 'text'>('hex')
  const [payload, setPayload] = useState('')
  const [port, setPort] = useState<number | ''>('')
  const [device, setDevice] = useState<string | null>(null)
  const run = useMutation({
    mutationFn: async () => {
      const what: Pick<TrialBody, 'decoderId' | 'script' | 'kind'> =
        script === undefined ? { decoderId } : { kind, script }
      return tryDecoder({ ...what, messages: await messages() })
    },
  })
  const messages = async (): Promise<TrialBody['messages']> => {
    if (from === 'typed') {
      const number = port === '' ? {} : { port }
      return [
        { payload: encoding === 'hex' ? payload.replace(/0x|[\s:,-]/gi, '') : payload, encoding, ...number },
      ]
    }
    const stored = await listMessagesOf(device ?? '', false)
    return stored.items
      .filter((one) => one.payload !== null)
      .slice(0, STORED)
      .map(asTrial)
  }
  const hexWrong = from === 'typed' && encoding === 'hex' && fromHex(payload) === null
  const ready = from === 'typed' ? payload.trim() !== '' && !hexWrong : device !== null
  return (
    <Panel title={t('decoders.trial')}>
      <Stack>
        <SegmentedControl
          value={from}
          onChange={(next) => setFrom(next as typeof from)}
          data={[
            { value: 'typed', label: t('trial.typed') },
            { value: 'stored', label: t('trial.stored') },
          ]}
        />
        {from === 'typed' ? (
          <>
            <TextInput
              label={t('trial.payload')}
              ff="monospace"
              placeholder={encoding === 'hex' ? '00 d5 05 3c' : '{"t": 21.5}'}
              value={payload}
              error={hexWrong && t('trial.notHex')}
              onChange={(event) => setPayload(event.currentTarget.value)}
            />
            <Group align="flex-end" gap="sm">
              <SegmentedControl
                size="sm"
                value={encoding}
                onChange={(next) => setEncoding(next as typeof encoding)}
                data={[
                  { value: 'hex', label: t('messages.hex') },
                  { value: 'text', label: t('messages.text') },
                ]}
              />
              <NumberInput
                w={110}
                label={t('trial.port')}
                min={0}
                max={255}
                allowDecimal={false}
                value={port}
                onChange={(next) => setPort(typeof next === 'number' ? next : '')}
              />
            </Group>
          </>
        ) : (
          <DeviceSearch value={device} onChange={setDevice} />
        )}
        <Group>
          <Button
            variant="light"
            leftSection={<IconPlayerPlay size={16} />}
            disabled={!ready}
            loading={run.isPending}
            onClick={() => run.mutate()}
          >
            {t('trial.run')}
          </Button>
          {run.data && (
            <Text fz="sm" c="dimmed">
              {t('trial.took', { ms: format.number(run.data.usedMs, 1) })}
            </Text>
          )}
        </Group>
        <FormFailure of={run.error} />
        <Stack gap="sm" aria-live="polite">
          {run.data?.outcomes.map((outcome, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: outcomes stand in the order of the messages.
            <OutcomeView key={i} outcome={outcome} />
          ))}
          {run.data?.outcomes.length === 0 && <Text c="dimmed">{t('trial.noStored')}</Text>}
        </Stack>
      </Stack>
    </Panel>
  )
}

function OutcomeView({ outcome }: { outcome: Outcome }) {
  const { t } = useTranslation()
  const text = useValueText()
  const readings = outcome.readings ?? []
  return (
    <Panel>
      <Stack gap="xs">
        {outcome.problem ? (
          <>
            <Status tone="bad">{t('trial.failed')}</Status>
            <Text ff="monospace" fz="sm">
              {outcome.problem.message}
              {outcome.problem.line !== null && ` (${t('trial.line', { line: outcome.problem.line })})`}
            </Text>
          </>
        ) : (
          <Status tone={outcome.warnings?.length ? 'warning' : 'good'}>{t('trial.worked')}</Status>
        )}
        {outcome.warnings?.map((warning) => (
          <Text key={warning} fz="sm">
            {warning}
          </Text>
        ))}
        {readings.length > 0 && (
          <Facts
            rows={readings.flatMap((one) =>
              Object.entries(one.values).map(([series, value]): [string, string] => [
                series,
                `${text(value)} ${unitText(one.units?.[series])}`.trim(),
              ]),
            )}
          />
        )}
        {(outcome.dropped ?? 0) > 0 && (
          <Text fz="sm" c="dimmed">
            {t('trial.dropped', { count: outcome.dropped })}
          </Text>
        )}
        {outcome.document !== null && outcome.document !== undefined && (
          <CodeBlock code={JSON.stringify(outcome.document, null, 2)} label={t('trial.document')} />
        )}
        {outcome.bytes && <CodeBlock code={outcome.bytes} label={t('messages.hex')} />}
        {outcome.trace && outcome.trace.log.length > 0 && (
          <CodeBlock code={outcome.trace.log.join('\n')} label={t('trial.log')} />
        )}
      </Stack>
    </Panel>
  )
}
