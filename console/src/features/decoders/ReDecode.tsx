import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { applicationsQuery } from '@/features/groups/queries'
import { askReDecode } from '@/features/tasks/queries'
import { TaskList } from '@/features/tasks/TaskList'
import { FormFailure } from '@/parts/Failure'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'

/** Run the version in force over what came in earlier, look at the difference, then swap. */
export function ReDecode({
  decoderId,
  organizationId,
  may,
}: {
  decoderId: string
  organizationId: string
  may: boolean
}) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const applications = useQuery(applicationsQuery(organizationId)).data?.items ?? []
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const [application, setApplication] = useState<string | null>(null)
  const ask = useMutation({
    mutationFn: () =>
      askReDecode(decoderId, new Date(from).toISOString(), new Date(to).toISOString(), application),
    onSuccess: () => told(t('reDecode.asked')),
    onSettled: () => void client.invalidateQueries({ queryKey: ['tasks'] }),
  })
  return (
    <Stack>
      {may && (
        <Panel title={t('reDecode.ask')}>
          <Stack>
            <Text c="dimmed">{t('reDecode.help')}</Text>
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
              <Select
                label={t('fields.application')}
                placeholder={t('map.everyApplication')}
                clearable
                searchable
                data={applications.map((one) => ({ value: one.id, label: one.name }))}
                value={application}
                onChange={setApplication}
              />
              <Button
                disabled={!from || !to || from >= to}
                loading={ask.isPending}
                onClick={() => ask.mutate()}
              >
                {t('reDecode.start')}
              </Button>
            </Group>
            <FormFailure of={ask.error} />
          </Stack>
        </Panel>
      )}
      <TaskList subjectId={decoderId} />
    </Stack>
  )
}
