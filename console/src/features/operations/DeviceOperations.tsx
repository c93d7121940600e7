import { Button, Group, NumberInput, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconEye, IconSend } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { OperationBody, OperationPreview } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { Code } from '@/parts/Code'
import { DurationInput } from '@/parts/DurationInput'
import { FormFailure } from '@/parts/Failure'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { EncodedBy, OperationList, SentBytes } from './OperationList'
import { issueOperation, listOperationsOf, previewOperation } from './queries'

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

interface Asked {
  code: string
  payload: string
  expiresIn: string | null
  port: number | ''
  asJson: boolean
}

function asBody({ code, payload, expiresIn, port, asJson }: Asked): OperationBody {
  const read = readJson(payload)
  return {
    code,
    ...(read.ok && read.value !== undefined && { payload: read.value }),
    ...(expiresIn && { expiresIn }),
    ...(port !== '' && { port }),
    ...(asJson && { encode: false }),
  }
}

/** Show what would go down. */
function PreviewView({ of }: { of: OperationPreview }) {
  const { t } = useTranslation()
  return (
    <Stack gap="xs">
      {of.problem !== null ? (
        <>
          <Status tone="bad">{t('operations.previewFailed')}</Status>
          <Text ff="monospace" fz="sm">
            {of.problem}
          </Text>
        </>
      ) : of.bytes === null ? (
        <Status tone="info">{t('operations.previewJson')}</Status>
      ) : (
        <SentBytes hex={of.bytes} title={t('operations.previewReady')} />
      )}
      {of.warnings.map((warning) => (
        <Text key={warning} fz="sm">
          {warning}
        </Text>
      ))}
      <Group gap="md">
        {of.port !== null && (
          <Text fz="sm">
            {t('operations.port')}: {of.port}
          </Text>
        )}
        {of.decoderId && <EncodedBy id={of.decoderId} hash={of.decoderHash} />}
      </Group>
    </Stack>
  )
}

function Ask({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const form = useForm({
    initialValues: {
      code: '',
      payload: '',
      expiresIn: null as string | null,
      port: '' as number | '',
      asJson: false,
    },
    validate: {
      code: (value) => (/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(value) ? null : t('operations.codeWrong')),
      payload: (value) => {
        const read = readJson(value)
        return read.ok ? null : t('forms.notJson', { problem: read.problem })
      },
    },
  })
  const ask = useMutation({
    mutationFn: (values: typeof form.values) => issueOperation(deviceId, asBody(values)),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => told(t('operations.issued')),
    // What could not be encoded is listed as well.
    onSettled: () => void client.invalidateQueries({ queryKey: ['operations'] }),
  })
  const preview = useMutation({
    mutationFn: (values: typeof form.values) => previewOperation(deviceId, asBody(values)),
    onError: (failure) => showProblems(form, failure),
  })
  form.watch('code', preview.reset)
  form.watch('payload', preview.reset)
  form.watch('port', preview.reset)
  form.watch('asJson', preview.reset)
  return (
    <Panel title={t('operations.ask')}>
      <form
        onSubmit={form.onSubmit((values) => {
          preview.reset()
          ask.mutate(values)
        })}
        noValidate
      >
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
            <Group align="flex-start" grow>
              <NumberInput
                label={t('operations.port')}
                description={t('operations.portHelp')}
                min={0}
                max={255}
                allowDecimal={false}
                {...form.getInputProps('port')}
              />
              <Switch
                mt={26}
                label={t('operations.asJson')}
                description={t('operations.asJsonHelp')}
                {...form.getInputProps('asJson', { type: 'checkbox' })}
              />
            </Group>
          </Stack>
          <div>
            <Text fw={500} fz="sm" mb={4}>
              {t('operations.payload')}
            </Text>
            <Code
              label={t('operations.payload')}
              language="json"
              height={190}
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
        <Stack gap="sm" mt="sm">
          <FormFailure of={preview.error ?? ask.error} />
          <div aria-live="polite">{preview.data && <PreviewView of={preview.data} />}</div>
        </Stack>
        <Group justify="flex-end" mt="sm">
          <Button
            variant="default"
            leftSection={<IconEye size={16} />}
            loading={preview.isPending}
            onClick={() =>
              form.onSubmit((values) => {
                ask.reset()
                preview.mutate(values)
              })()
            }
          >
            {t('operations.preview')}
          </Button>
          <Button type="submit" leftSection={<IconSend size={16} />} loading={ask.isPending}>
            {t('operations.send')}
          </Button>
        </Group>
      </form>
    </Panel>
  )
}
