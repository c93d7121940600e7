import { NumberInput, PasswordInput, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Broker } from '@/api/types'
import { isEncrypted } from '@/features/sources/words'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { connectBroker } from './queries'
import { SHARING } from './words'

/** Say how the platform reaches a broker, so that it fetches messages and sends commands. */
export function ConnectForm({ broker, onClose }: { broker: Broker; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const form = useForm({
    initialValues: { url: 'mqtts://', userName: 'moorage', password: '', authority: '', connections: 1 },
  })
  const { url, userName, password, authority, connections } = form.values
  const encrypted = isEncrypted(url)
  const save = useMutation({
    mutationFn: () =>
      connectBroker(broker.id, {
        url: url.trim(),
        userName,
        authority: (encrypted && authority) || null,
        connections,
        secrets: password ? { password } : {},
      }),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['brokers'] })
      void client.invalidateQueries({ queryKey: ['sources'] })
      onClose()
    },
  })
  return (
    <FormModal
      title={t('brokers.connect')}
      action={t('brokers.connect')}
      onSubmit={form.onSubmit(() => save.mutate())}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <TextInput
        label={t('sources.url')}
        description={t('sources.urlHelp')}
        data-autofocus
        withAsterisk
        {...form.getInputProps('url')}
      />
      <TextInput label={t('fields.userName')} autoComplete="off" {...form.getInputProps('userName')} />
      <PasswordInput
        label={t('brokers.token')}
        autoComplete="off"
        {...form.getInputProps('password')}
        error={form.errors['secrets.password']}
      />
      {SHARING.includes(broker.kind) && (
        <NumberInput
          label={t('brokers.connections')}
          description={t('brokers.connectionsHelp')}
          min={1}
          max={16}
          allowDecimal={false}
          {...form.getInputProps('connections')}
        />
      )}
      {encrypted && (
        <Textarea
          label={t('sources.authority')}
          description={t('sources.authorityHelp')}
          autosize
          maxRows={8}
          {...form.getInputProps('authority')}
        />
      )}
    </FormModal>
  )
}
