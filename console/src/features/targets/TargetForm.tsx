import {
  Divider,
  NumberInput,
  PasswordInput,
  SegmentedControl,
  SimpleGrid,
  Skeleton,
  Stack,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Target } from '@/api/types'
import { ApplicationChoice } from '@/features/groups/ApplicationChoice'
import { DurationInput } from '@/parts/DurationInput'
import { FormModal } from '@/parts/FormModal'
import { mergePatch, showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { type Schema, SchemaForm, type Settings } from '@/parts/SchemaForm'
import { changeTarget, makeRoute, makeTarget, targetKindsQuery } from './queries'

interface Props {
  target?: Target & { etag: string | null }
  onClose: () => void
  onMade?: (made: Target) => void
}

/** Make or change a target; the settings' fields come from its kind. */
export function TargetForm({ target, onClose, onMade }: Props) {
  const { t, i18n } = useTranslation()
  const client = useQueryClient()
  const kinds = useQuery(targetKindsQuery).data?.items
  const form = useForm({
    initialValues: {
      applicationId: target?.applicationId ?? '',
      name: target?.name ?? '',
      kind: target?.kind ?? 'http',
      settings: (target?.settings ?? {}) as Settings,
      secrets: {} as Record<string, string>,
      maxAttempts: target?.maxAttempts ?? 12,
      maxAge: target?.maxAge ?? 'P3D',
      concurrency: target?.concurrency ?? 32,
      receiptDays: target?.receiptDays ?? 30,
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      applicationId: (v) => (v ? null : t('connect.chooseApplication')),
    },
  })
  const kind = kinds?.find((one) => one.kind === form.values.kind)
  const save = useMutation({
    mutationFn: async (values: typeof form.values) => {
      const secrets = Object.fromEntries(Object.entries(values.secrets).filter(([, secret]) => secret))
      const { applicationId, kind: chosen, ...rest } = values
      if (target) {
        const settings = mergePatch(target.settings as Settings, rest.settings)
        return changeTarget(target.id, target.etag, { ...rest, settings, secrets })
      }
      const made = await makeTarget({ ...rest, applicationId, kind: chosen, secrets })
      await makeRoute({ targetId: made.id, name: t('routes.everything') })
      return made
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: (kept) => {
      told(target ? t('common.saved') : t('common.made', { name: kept.name }))
      void client.invalidateQueries({ queryKey: ['targets'] })
      onClose()
      if (!target) onMade?.(kept)
    },
  })
  return (
    <FormModal
      title={target ? t('targets.edit') : t('targets.new')}
      action={target ? t('common.save') : t('common.create')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
      {!target && (
        <>
          <ApplicationChoice
            help={t('targets.applicationHelp')}
            value={form.values.applicationId}
            onChange={(id) => form.setFieldValue('applicationId', id)}
            error={form.errors.applicationId as string | undefined}
          />
          <SegmentedControl
            aria-label={t('fields.kind')}
            data={(kinds ?? []).map((one) => ({ value: one.kind, label: one.title }))}
            value={form.values.kind}
            onChange={(next) => form.setValues({ kind: next, settings: {}, secrets: {} })}
          />
        </>
      )}
      {!kind ? (
        <Skeleton height={160} />
      ) : (
        <>
          <SchemaForm
            key={kind.kind}
            schema={kind.settingsSchema as Schema}
            value={form.values.settings}
            onChange={(settings) => form.setFieldValue('settings', settings)}
            errors={form.errors}
            path="settings"
          />
          <Divider label={t('targets.secrets')} labelPosition="left" />
          <Stack gap="sm">
            {Object.entries(kind.secrets).map(([name, help]) => {
              const word = `secretNames.${name}`
              const props = {
                label: i18n.exists(word) ? t(word as never) : name,
                description: i18n.exists(word) ? undefined : help,
                placeholder: target?.secrets.includes(name) ? t('targets.secretSet') : undefined,
                autoComplete: 'off',
                value: form.values.secrets[name] ?? '',
                onChange: (event: { currentTarget: { value: string } }) =>
                  form.setFieldValue('secrets', {
                    ...form.values.secrets,
                    [name]: event.currentTarget.value,
                  }),
                error: form.errors[`secrets.${name}`],
              }
              return name.endsWith('Key') && name !== 'signingKey' ? (
                <Textarea key={name} {...props} ff="monospace" autosize minRows={2} />
              ) : (
                <PasswordInput key={name} {...props} />
              )
            })}
          </Stack>
          <Divider label={t('targets.delivery')} labelPosition="left" />
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            <NumberInput
              label={t('targets.maxAttempts')}
              min={1}
              max={100}
              {...form.getInputProps('maxAttempts')}
            />
            <DurationInput
              label={t('targets.maxAge')}
              value={form.values.maxAge}
              onChange={(next) => form.setFieldValue('maxAge', next ?? 'P3D')}
              error={form.errors.maxAge}
            />
            <NumberInput
              label={t('targets.concurrency')}
              min={1}
              max={256}
              {...form.getInputProps('concurrency')}
            />
            <NumberInput
              label={t('receipts.days')}
              description={t('receipts.daysHelp')}
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              min={0}
              max={366}
              allowDecimal={false}
              {...form.getInputProps('receiptDays')}
            />
          </SimpleGrid>
        </>
      )}
    </FormModal>
  )
}
