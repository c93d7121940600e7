import { PasswordInput, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { isEncrypted } from '@/features/sources/words'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { connectBroker } from './queries'

/** Say how the platform reaches a broker, so that it fetches messages and sends commands. */
export function ConnectForm({ brokerId, onClose }: { brokerId: string; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const form = useForm({
    initialValues: { url: 'mqtts://', userName: 'moorage', password: '', authority: '' },
  })
  const { url, userName, password, authority } = form.values
  const encrypted = isEncrypted(url)
  const save = useMutation({
    mutationFn: () =>
      connectBroker(brokerId, {
        url: url.trim(),
        userName,
        authority: (encrypted && authority) || null,
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
