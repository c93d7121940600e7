import { Anchor, Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconCheck, IconSparkles } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Message, Suggestion } from '@/api/types'
import { FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { useOutcomeText } from './outcome'
import { decoderOf, suggestQuery, tryDecoder } from './queries'
import { asTrial } from './trials'
import { useKindName } from './words'

const TRIED = 5
const SHOWN = 5

interface Props {
  /** What the device sent, newest first. */
  messages: Message[]
  organizationId: string
  onChoose: (decoderId: string, name: string) => Promise<unknown>
}

/** Bytes that nobody understands: the decoders that make sense of them, and what of. */
export function Suggestions({ messages, organizationId, onChoose }: Props) {
  const { t } = useTranslation()
  const known = messages.filter((one) => one.payload !== null).slice(0, TRIED)
  const kindName = useKindName()
  const nameOf = (one: Suggestion) => (one.decoderId ? one.name : kindName(one.kind))
  const found = useQuery(suggestQuery(known[0] && asTrial(known[0])))
  const choose = useMutation({
    mutationFn: async (one: Suggestion) =>
      onChoose(await decoderOf(one, nameOf(one), organizationId), nameOf(one)),
  })
  if (known.length === 0) return null
  const items = found.data?.items ?? []
  return (
    <Panel title={t('suggest.title')}>
      <Stack gap="sm">
        <Text c="dimmed">
          {found.data && items.length === 0
            ? t('suggest.none', { count: found.data.tried })
            : t('suggest.lead')}
        </Text>
        {found.isPending && <Skeleton height={90} />}
        <FormFailure of={found.error ?? choose.error} />
        {items.slice(0, SHOWN).map((one) => (
          <Plausible
            key={one.decoderId ?? one.kind}
            one={one}
            name={nameOf(one)}
            messages={known}
            loading={choose.isPending && choose.variables === one}
            choose={() => choose.mutate(one)}
          />
        ))}
        <Anchor component={Link} to="/decoders" fz="sm" underline="always">
          {t('suggest.write')}
        </Anchor>
      </Stack>
    </Panel>
  )
}

interface PlausibleProps {
  one: Suggestion
  name: string
  messages: Message[]
  loading: boolean
  choose: () => void
}

function Plausible({ one, name, messages, loading, choose }: PlausibleProps) {
  const { t } = useTranslation()
  const format = useFormat()
  const say = useOutcomeText()
  const trial = useQuery({
    queryKey: ['decoders', 'suggest', one.decoderId ?? one.kind, messages.map((m) => m.position)],
    queryFn: () =>
      tryDecoder({
        ...(one.decoderId ? { decoderId: one.decoderId } : { kind: one.kind }),
        messages: messages.map(asTrial),
      }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const outcomes = trial.data?.outcomes ?? []
  const good = outcomes.filter((outcome) => !outcome.problem).length
  return (
    <Panel>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <Group gap="xs">
            <IconSparkles size={16} aria-hidden="true" />
            <Text fw={600}>{name}</Text>
          </Group>
          {trial.data && (
            <Status tone={good === outcomes.length ? 'good' : 'warning'}>
              {t('suggest.understands', {
                count: outcomes.length,
                good: format.number(good),
                score: format.number(one.score * 100, 0),
              })}
            </Status>
          )}
        </div>
        <Button
          size="compact-md"
          flex="none"
          variant="light"
          leftSection={<IconCheck size={15} />}
          aria-label={t('suggest.useNamed', { name })}
          loading={loading}
          onClick={choose}
        >
          {t('suggest.use')}
        </Button>
      </Group>
      <Stack gap={4} mt="xs">
        {trial.isPending && <Skeleton height={40} />}
        {outcomes.map((outcome, i) => (
          <Group key={messages[i]?.position} gap="sm" wrap="nowrap" align="baseline">
            <Time at={messages[i]?.receivedAt ?? null} fz="sm" c="dimmed" miw={84} />
            <Text fz="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
              {say(outcome)}
            </Text>
          </Group>
        ))}
      </Stack>
    </Panel>
  )
}
