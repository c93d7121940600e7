import { Button, Group, Stack, Text } from '@mantine/core'
import { IconEye, IconSend } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { OperationPreview } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { FormFailure } from '@/parts/Failure'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { type Asked, AskFields, asBody, useAsked } from './AskForm'
import { EncodedBy, OperationList, SentBytes } from './OperationList'
import { issueOperation, listOperationsOf, previewOperation } from './queries'

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
  const form = useAsked()
  const ask = useMutation({
    mutationFn: (values: Asked) => issueOperation(deviceId, asBody(values)),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => told(t('operations.issued')),
    // What could not be encoded is listed as well.
    onSettled: () => void client.invalidateQueries({ queryKey: ['operations'] }),
  })
  const preview = useMutation({
    mutationFn: (values: Asked) => previewOperation(deviceId, asBody(values)),
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
        <AskFields form={form} />
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
