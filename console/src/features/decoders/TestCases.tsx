import { Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { DecoderInFull, TestCase } from '@/api/types'
import { Code } from '@/parts/Code'
import { Failure, FormFailure } from '@/parts/Failure'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { keepTestCases, runTestCases, testCasesQuery } from './queries'

const EXAMPLE: TestCase[] = [
  { name: '21.3 °C', input: { bytes: '00d5', fPort: 1 }, expected: { temperature: 21.3 } },
]

/** What must come out for what goes in, written as JSON as in ChirpStack's device profiles. */
export function TestCases({ decoder, readOnly }: { decoder: DecoderInFull; readOnly: boolean }) {
  const found = useQuery(testCasesQuery(decoder.id))
  if (found.error) return <Failure of={found.error} retry={() => void found.refetch()} />
  if (!found.data) return <Skeleton height={300} />
  return <Cases decoder={decoder} kept={found.data} readOnly={readOnly} />
}

function Cases({ decoder, kept, readOnly }: { decoder: DecoderInFull; kept: TestCase[]; readOnly: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [text, setText] = useState(() => (kept.length ? JSON.stringify(kept, null, 2) : ''))
  const [wrong, setWrong] = useState<string | null>(null)
  const run = useMutation({ mutationFn: () => runTestCases(decoder.id) })
  const save = useMutation({
    mutationFn: (cases: TestCase[]) => keepTestCases(decoder.id, cases),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['decoders', decoder.id, 'test-cases'] })
      run.mutate()
    },
  })
  const keep = () => {
    try {
      const cases = JSON.parse(text || '[]') as TestCase[]
      if (!Array.isArray(cases)) throw new Error(t('cases.notList'))
      setWrong(null)
      save.mutate(cases)
    } catch (failure) {
      setWrong((failure as Error).message)
    }
  }
  return (
    <Stack>
      <Text c="dimmed">{t('cases.help')}</Text>
      <Code
        label={t('decoders.cases')}
        language="json"
        value={text}
        onChange={readOnly ? undefined : setText}
        height={340}
      />
      {wrong && (
        <Text c="red" role="alert">
          {t('forms.notJson', { problem: wrong })}
        </Text>
      )}
      <FormFailure of={save.error ?? run.error} />
      <Group>
        {!readOnly && (
          <Button onClick={keep} loading={save.isPending}>
            {t('cases.save')}
          </Button>
        )}
        <Button
          variant="default"
          leftSection={<IconPlayerPlay size={16} />}
          onClick={() => run.mutate()}
          loading={run.isPending}
        >
          {t('cases.run')}
        </Button>
        {!readOnly && !text && (
          <Button variant="subtle" onClick={() => setText(JSON.stringify(EXAMPLE, null, 2))}>
            {t('cases.example')}
          </Button>
        )}
      </Group>
      {run.data && (
        <Panel title={t('cases.results')}>
          <Stack gap="xs" aria-live="polite">
            {run.data.length === 0 && <Text c="dimmed">{t('cases.none')}</Text>}
            {run.data.map((result) => (
              <div key={result.name}>
                <Status tone={result.passed ? 'good' : 'bad'}>
                  {`${result.name}: ${result.passed ? t('cases.passed') : t('cases.failed')}`}
                </Status>
                {result.difference && (
                  <Text ff="monospace" fz="sm" ml={20}>
                    {result.difference}
                  </Text>
                )}
              </div>
            ))}
          </Stack>
        </Panel>
      )}
    </Stack>
  )
}
