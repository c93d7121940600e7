import { Button, Group, List, Modal, Stack, Text } from '@mantine/core'
import { IconSend } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import type { Device, Issued } from '@/api/types'
import { FormFailure, useFailureText } from '@/parts/Failure'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { Status } from '@/parts/Status'
import { type Asked, AskFields, asBody, useAsked } from './AskForm'
import { issueOperations } from './queries'

interface Props {
  devices: Device[]
  onClose: () => void
  onSent: () => void
}

/** Ask the same of several devices; those that were sent nothing are named with the reason. */
export function AskMany({ devices, onClose, onSent }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const form = useAsked()
  const ask = useMutation({
    mutationFn: (values: Asked) =>
      issueOperations({ ...asBody(values), deviceIds: devices.map((d) => d.id) }),
    onError: (failure) => showProblems(form, failure),
    onSuccess: (outcomes) => {
      const sent = outcomes.filter(isSent).length
      if (sent > 0) told(t('operations.issuedMany', { count: sent }))
      if (sent === outcomes.length) onSent()
    },
    onSettled: () => void client.invalidateQueries({ queryKey: ['operations'] }),
  })
  const left = ask.data?.filter((outcome) => !isSent(outcome)) ?? []
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('operations.askMany', { count: devices.length })}
      centered
      size="xl"
    >
      {left.length > 0 ? (
        <Stack>
          <Status tone="bad">{t('operations.someNotSent', { count: left.length })}</Status>
          <NotSent outcomes={left} devices={devices} />
          <Group justify="flex-end">
            <Button onClick={onSent}>{t('common.close')}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={form.onSubmit((values) => ask.mutate(values))} noValidate>
          <AskFields form={form} />
          <Stack gap="sm" mt="sm">
            <FormFailure of={ask.error} />
          </Stack>
          <Group justify="flex-end" mt="sm">
            <Button variant="default" onClick={onClose}>
              {t('common.cancel')}
            </Button>
            <Button type="submit" leftSection={<IconSend size={16} />} loading={ask.isPending}>
              {t('operations.send')}
            </Button>
          </Group>
        </form>
      )}
    </Modal>
  )
}

function isSent(outcome: Issued): boolean {
  return outcome.operationId !== null && outcome.state !== 'error'
}

function NotSent({ outcomes, devices }: { outcomes: Issued[]; devices: Device[] }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const nameOf = (id: string) => devices.find((d) => d.id === id)?.name ?? id
  return (
    <List size="sm" spacing={4}>
      {outcomes.map((outcome) => (
        <List.Item key={outcome.deviceId}>
          <Text span fw={500} fz="sm">
            {nameOf(outcome.deviceId)}
          </Text>
          {': '}
          {outcome.code
            ? text(new Problem(409, outcome.code, outcome.problem ?? ''))
            : (outcome.problem ?? t('operationState.error'))}
        </List.Item>
      ))}
    </List>
  )
}
