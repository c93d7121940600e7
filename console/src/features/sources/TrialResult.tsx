import { Alert, Group, Stack, Table, Text } from '@mantine/core'
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { SourceTrial } from '@/api/types'
import { useFormat } from '@/parts/format'
import { Status } from '@/parts/Status'
import { MESSAGE_TONE } from './words'

/** What the broker said, and what would become of the messages that came. */
export function TrialResult({ trial }: { trial: SourceTrial }) {
  const { t } = useTranslation()
  const format = useFormat()
  const refused = trial.subscriptions.filter((one) => one.detail)
  const fine = trial.connected && !trial.subscriptions.some((one) => one.qos === null)
  return (
    <Stack gap="sm" role="status">
      <Alert
        color={fine ? 'green' : 'red'}
        icon={fine ? <IconCircleCheck size={18} /> : <IconAlertTriangle size={18} />}
        title={t(trial.connected ? 'sources.trialIn' : 'sources.trialOut', {
          ms: format.number(trial.latencyMs, 0),
        })}
      >
        {!trial.connected && trial.detail}
        {refused.map((one) => (
          <div key={one.topic}>
            <Mono>{one.topic}</Mono> {one.detail}
          </div>
        ))}
        {fine && !trial.samples.length && t('sources.trialQuiet')}
        {fine && trial.samples.length > 0 && t('sources.trialCame', { count: trial.samples.length })}
      </Alert>
      {trial.samples.length > 0 && (
        <Table.ScrollContainer minWidth={300}>
          <Table verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('messages.result')}</Table.Th>
                <Table.Th>{t('sources.topic')}</Table.Th>
                <Table.Th>{t('fields.device')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {trial.samples.map((one, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the same message may come twice.
                <Table.Tr key={at}>
                  <Table.Td>
                    <Status tone={MESSAGE_TONE[one.outcome]}>{t(`sourceMessage.${one.outcome}`)}</Status>
                  </Table.Td>
                  <Table.Td>
                    <Mono>{one.topic}</Mono>
                    <Text fz="xs" c="dimmed" lineClamp={1}>
                      {one.excerpt}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    <Group gap={6}>
                      {one.device || '–'}
                      {one.channel && <Mono>{one.channel}</Mono>}
                    </Group>
                    {one.detail && (
                      <Text fz="xs" c="dimmed">
                        {one.detail}
                      </Text>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  )
}

function Mono({ children }: { children: string }) {
  return (
    <Text span ff="monospace" fz="sm" style={{ overflowWrap: 'anywhere' }}>
      {children}
    </Text>
  )
}
