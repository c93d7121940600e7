import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconCheck } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Waiting } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { DecoderChoice } from '@/features/decoders/DecoderChoice'
import { Suggestions } from '@/features/decoders/Suggestions'
import { isUnknown } from '@/features/telemetry/latest'
import { messagesOfQuery } from '@/features/telemetry/queries'
import { Bytes } from '@/parts/Bytes'
import { FormFailure } from '@/parts/Failure'
import { showProblems } from '@/parts/form'
import { useGo } from '@/parts/go'
import { fromBase64 } from '@/parts/hex'
import { told } from '@/parts/notify'
import { Facts, Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { adopt } from './queries'

interface Props {
  waiting: Waiting
  application: string
  onDiscard: () => void
}

/** One that waits: what it sent, which decoder may read it, and the name it is to have. */
export function WaitingView({ waiting, application, onDiscard }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const go = useGo()
  const { can } = useSession()
  const reads = can('messages:read', waiting.organizationId)
  const messages = useQuery({ ...messagesOfQuery(waiting.id), enabled: reads }).data?.items ?? []
  const last = messages[0]
  const form = useForm({
    initialValues: { name: waiting.sender.slice(0, 100), decoderId: null as string | null },
    validate: { name: (name) => (name.trim() ? null : t('forms.nameMissing')) },
  })
  const take = useMutation({
    mutationFn: ({ name, decoderId }: typeof form.values) =>
      adopt(waiting.id, { name, ...(decoderId && { decoderId }) }),
    onError: (failure) => showProblems(form, failure),
    onSuccess: (device) => {
      void client.invalidateQueries({ queryKey: ['inbox'] })
      void client.invalidateQueries({ queryKey: ['devices'] })
      told(t('inbox.adopted', { count: 1, name: device.name }))
      go(`/devices/${device.id}`)
    },
  })
  return (
    <Stack>
      <form onSubmit={form.onSubmit((values) => take.mutate(values))} noValidate>
        <Stack>
          <TextInput label={t('fields.name')} {...form.getInputProps('name')} />
          <DecoderChoice
            organizationId={waiting.organizationId}
            first={waiting.suggestedDecoderIds}
            value={form.values.decoderId}
            onChange={(id) => form.setFieldValue('decoderId', id)}
          />
          <FormFailure of={take.error} />
          <Group>
            <Button type="submit" leftSection={<IconCheck size={16} />} loading={take.isPending}>
              {t('inbox.adopt')}
            </Button>
            <Button variant="default" onClick={onDiscard}>
              {t('inbox.discard')}
            </Button>
          </Group>
        </Stack>
      </form>
      <Facts
        rows={[
          [t('fields.application'), application],
          [t('fields.kind'), t(`deviceKind.${waiting.kind}`)],
          [t('inbox.firstSeen'), <Time key="first" at={waiting.firstSeenAt} />],
          [t('fields.lastSeenAt'), <Time key="last" at={waiting.lastSeenAt} />],
        ]}
      />
      {last?.payload && (
        <Panel title={t('inbox.lastMessage')}>
          <Bytes bytes={fromBase64(last.payload)} />
        </Panel>
      )}
      {last && isUnknown(last) && (
        <Suggestions
          messages={messages.filter(isUnknown)}
          organizationId={waiting.organizationId}
          onChoose={async (decoderId) => form.setFieldValue('decoderId', decoderId)}
        />
      )}
    </Stack>
  )
}
