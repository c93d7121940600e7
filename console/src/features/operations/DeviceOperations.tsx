import { Button, Group, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconSend } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { Code } from '@/parts/Code'
import { DurationInput } from '@/parts/DurationInput'
import { FormFailure } from '@/parts/Failure'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { OperationList } from './OperationList'
import { issueOperation, listOperationsOf } from './queries'

/** Read JSON typed by a person; undefined where there is none, null in `value` where it says so. */
export function readJson(text: string): { ok: true; value: unknown } | { ok: false; problem: string } {
  if (!text.trim()) return { ok: true, value: undefined }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (failure) {
    return { ok: false, problem: (failure as Error).message }
  }
}

/** Ask a device to do something, and see what it answered before. */
export function DeviceOperations({ deviceId, organizationId }: { deviceId: string; organizationId: string }) {
  const { can } = useSession()
  const list = usePages(['operations', 'of', deviceId], (after) => listOperationsOf(deviceId, after), {
    refetchInterval: 2_000,
  })
  return (
    <Stack>
      {can('devices:operate', organizationId) && <Ask deviceId={deviceId} />}
      <OperationList name="device-operations" list={list} />
    </Stack>
  )
}

function Ask({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const form = useForm({
    initialValues: { code: '', payload: '', expiresIn: null as string | null },
    validate: {
      code: (value) => (/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(value) ? null : t('operations.codeWrong')),
      payload: (value) => {
        const read = readJson(value)
        return read.ok ? null : t('forms.notJson', { problem: read.problem })
      },
    },
  })
  const ask = useMutation({
    mutationFn: (values: typeof form.values) => {
      const read = readJson(values.payload)
      return issueOperation(deviceId, {
        code: values.code,
        ...(read.ok && read.value !== undefined && { payload: read.value }),
        ...(values.expiresIn && { expiresIn: values.expiresIn }),
      })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('operations.issued'))
      void client.invalidateQueries({ queryKey: ['operations'] })
    },
  })
  return (
    <Panel title={t('operations.ask')}>
      <form onSubmit={form.onSubmit((values) => ask.mutate(values))} noValidate>
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Stack>
            <TextInput
              label={t('operations.command')}
              description={t('operations.commandHelp')}
              placeholder="reboot"
              {...form.getInputProps('code')}
            />
            <DurationInput
              label={t('operations.expiresIn')}
              placeholder={t('operations.aDay')}
              {...form.getInputProps('expiresIn')}
            />
          </Stack>
          <div>
            <Text fw={500} fz="sm" mb={4}>
              {t('operations.payload')}
            </Text>
            <Code
              label={t('operations.payload')}
              language="json"
              height={110}
              value={form.values.payload}
              onChange={(text) => form.setFieldValue('payload', text)}
            />
            {form.errors.payload && (
              <Text c="red" fz="sm" role="alert">
                {form.errors.payload}
              </Text>
            )}
          </div>
        </SimpleGrid>
        <FormFailure of={ask.error} />
        <Group justify="flex-end" mt="sm">
          <Button type="submit" leftSection={<IconSend size={16} />} loading={ask.isPending}>
            {t('operations.send')}
          </Button>
        </Group>
      </form>
    </Panel>
  )
}
