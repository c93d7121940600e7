import { MultiSelect, Select, Stack, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { groupsQuery } from '@/features/organizations/queries'
import { DayInput } from '@/parts/DayInput'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { told } from '@/parts/notify'
import { SecretModal } from '@/parts/Secret'
import { invite } from './queries'

/** Ask a person into permission groups; the link is shown once. */
export function Invite({ onClose }: { onClose: () => void }) {
  const { t, i18n } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const { organizationId } = useSession()
  const groups = useQuery(groupsQuery(organizationId)).data?.items ?? []
  const [link, setLink] = useState<{ url: string; expiresAt: string } | null>(null)
  const form = useForm({
    initialValues: {
      email: '',
      name: '',
      language: (i18n.language === 'da' ? 'da' : 'en') as 'da' | 'en',
      accountExpiresAt: null as string | null,
      permissionGroupIds: [] as string[],
    },
    validate: {
      email: (v) => (/^[^@\s]+@[^@\s]+$/.test(v) ? null : t('signIn.emailWrong')),
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
    },
    validateInputOnBlur: true,
  })
  const ask = useMutation({
    mutationFn: invite,
    onError: (failure) => showProblems(form, failure),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ['invitations'] })
      if (made.link) {
        setLink(made.link)
      } else {
        told(t('invitations.mailed', { email: made.email }))
        onClose()
      }
    },
  })
  if (link) {
    return (
      <SecretModal title={t('invitations.linkTitle')} secret={link.url} onClose={onClose}>
        {t('invitations.linkHelp', { until: format.instant(link.expiresAt, false) })}
      </SecretModal>
    )
  }
  return (
    <FormModal
      title={t('users.invite')}
      action={t('users.inviteAction')}
      size="md"
      onSubmit={form.onSubmit((values) => ask.mutate(values))}
      onClose={onClose}
      pending={ask.isPending}
      failure={ask.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        <TextInput label={t('fields.email')} type="email" withAsterisk {...form.getInputProps('email')} />
        <Select
          label={t('frame.language')}
          allowDeselect={false}
          data={[
            { value: 'en', label: 'English' },
            { value: 'da', label: 'Dansk' },
          ]}
          {...form.getInputProps('language')}
        />
        <DayInput
          label={t('users.lastDay')}
          description={t('users.lastDayHelp')}
          {...form.getInputProps('accountExpiresAt')}
        />
        <MultiSelect
          label={t('places.permissions')}
          description={t('users.groupsHelp')}
          searchable
          data={groups.map((group) => ({ value: group.id, label: group.name }))}
          {...form.getInputProps('permissionGroupIds')}
        />
      </Stack>
    </FormModal>
  )
}
