import { Text, Textarea } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FormModal } from '@/parts/FormModal'
import type { State } from './words'

interface Props {
  state: State
  title: string
  act: (reason: string | undefined) => Promise<unknown>
  onClose: () => void
  onDone?: () => void
}

/** Take a device to another state of its life, and say why. */
export function StateModal({ state, title, act, onClose, onDone }: Props) {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const run = useMutation({
    mutationFn: () => act(reason.trim() || undefined),
    onSuccess: () => {
      onClose()
      onDone?.()
    },
  })
  return (
    <FormModal
      title={title}
      action={t(`devices.become.${state}` as never)}
      size="md"
      pending={run.isPending}
      failure={run.error}
      onClose={onClose}
      onSubmit={(event) => {
        event?.preventDefault()
        run.mutate()
      }}
    >
      {state === 'retired' && <Text>{t('devices.retireAsk')}</Text>}
      <Textarea
        data-autofocus
        autosize
        minRows={2}
        maxLength={500}
        label={t('devices.reason')}
        description={t('devices.reasonHelp')}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </FormModal>
  )
}
