import { Button, Group, SegmentedControl, Select, SimpleGrid, Stack, Text } from '@mantine/core'
import { IconHeartbeat, IconSend } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { DeviceSearch } from '@/features/devices/DeviceSearch'
import { Code } from '@/parts/Code'
import { CodeBlock } from '@/parts/Copy'
import { FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { listRoutes, pingTarget, testTarget } from './queries'
import { OUTCOME_TONE } from './words'

/** Reach the target, or send one message now and see request and answer. */
export function TargetTest({ targetId }: { targetId: string }) {
  const { t } = useTranslation()
  const [from, setFrom] = useState<'device' | 'made'>('device')
  const [device, setDevice] = useState<string | null>(null)
  const [route, setRoute] = useState<string | null>(null)
  const routes = useQuery({ queryKey: ['routes', 'of', targetId], queryFn: () => listRoutes(targetId) }).data
  const [document, setDocument] = useState('{\n  "temperature": 21.5\n}')
  const [wrong, setWrong] = useState<string | null>(null)
  const ping = useMutation({ mutationFn: () => pingTarget(targetId) })
  const test = useMutation({
    mutationFn: (body: Parameters<typeof testTarget>[1]) => testTarget(targetId, body),
  })
  const send = () => {
    setWrong(null)
    if (from === 'device') {
      if (device) test.mutate({ deviceId: device, routeId: route })
      return
    }
    try {
      test.mutate({ document: JSON.parse(document) as Record<string, unknown> })
    } catch (failure) {
      setWrong((failure as Error).message)
    }
  }
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }}>
      <Stack>
        <Panel title={t('targets.ping')}>
          <Stack>
            <Text c="dimmed">{t('targets.pingHelp')}</Text>
            <Group>
              <Button
                variant="light"
                leftSection={<IconHeartbeat size={16} />}
                loading={ping.isPending}
                onClick={() => ping.mutate()}
              >
                {t('targets.ping')}
              </Button>
            </Group>
            <FormFailure of={ping.error} />
            {ping.data && <Result result={ping.data} />}
          </Stack>
        </Panel>
        <Panel title={t('targets.sendOne')}>
          <Stack>
            <SegmentedControl
              value={from}
              onChange={(next) => setFrom(next as typeof from)}
              data={[
                { value: 'device', label: t('targets.storedMessage') },
                { value: 'made', label: t('targets.madeUp') },
              ]}
            />
            {from === 'device' ? (
              <>
                <DeviceSearch value={device} onChange={setDevice} />
                <Select
                  label={t('routes.one')}
                  placeholder={t('targets.firstRoute')}
                  clearable
                  data={(routes?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
                  value={route}
                  onChange={setRoute}
                />
              </>
            ) : (
              <Code
                label={t('trial.document')}
                language="json"
                value={document}
                onChange={setDocument}
                height={160}
              />
            )}
            {wrong && (
              <Text c="red" role="alert">
                {t('forms.notJson', { problem: wrong })}
              </Text>
            )}
            <Group>
              <Button
                leftSection={<IconSend size={16} />}
                disabled={from === 'device' && !device}
                loading={test.isPending}
                onClick={send}
              >
                {t('targets.sendNow')}
              </Button>
            </Group>
            <FormFailure of={test.error} />
          </Stack>
        </Panel>
      </Stack>
      <Panel title={t('targets.exchange')}>
        {test.data ? (
          <Stack aria-live="polite">
            <Text fw={600}>{t('targets.request')}</Text>
            <CodeBlock code={test.data.request} label={t('targets.request')} />
            <Text fw={600}>{t('operations.answer')}</Text>
            <Result result={test.data.result} />
          </Stack>
        ) : (
          <Text c="dimmed">{t('targets.exchangeHelp')}</Text>
        )}
      </Panel>
    </SimpleGrid>
  )
}

interface ResultProps {
  result: { outcome: string; status: number | null; detail: string; answer: string; latencyMs: number }
}

function Result({ result }: ResultProps) {
  const { t } = useTranslation()
  const format = useFormat()
  return (
    <Stack gap="xs" aria-live="polite">
      <Group gap="lg">
        <Status tone={OUTCOME_TONE[result.outcome] ?? 'quiet'}>
          {t(`outcome.${result.outcome}` as never)}
        </Status>
        <Text c="dimmed" fz="sm">
          {[result.status, `${format.number(result.latencyMs, 0)} ms`]
            .filter((one) => one !== null)
            .join(' · ')}
        </Text>
      </Group>
      {result.detail && <Text>{result.detail}</Text>}
      {result.answer && <CodeBlock code={result.answer} label={t('operations.answer')} />}
    </Stack>
  )
}
