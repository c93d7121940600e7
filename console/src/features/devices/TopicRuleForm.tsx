import { Checkbox, Group, Select, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Device, TopicRule } from '@/api/types'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { changeTopicRule, listDevices, makeTopicRule } from './queries'

const KINDS = ['mqtt', 'gateway', 'phone', 'computer', 'other'] as const

interface Props {
  applicationId: string
  rule?: TopicRule
  onClose: () => void
}

/** Make or change what devices of an application may use beyond their own topics. */
export function TopicRuleForm({ applicationId, rule, onClose }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const devices = useQuery({
    queryKey: ['devices', 'of', applicationId],
    queryFn: () => listDevices({ applicationId }, 'name'),
  }).data?.items
  const form = useForm({
    initialValues: {
      topic: rule?.topic ?? '',
      publish: rule?.publish ?? true,
      subscribe: rule?.subscribe ?? true,
      kept: (rule?.channel ?? null) !== null,
      channel: rule?.channel ?? '',
      deviceId: rule?.deviceId ?? null,
      deviceKind: rule?.deviceKind ?? null,
      model: rule?.model ?? '',
    },
    validate: {
      topic: (v) => (v.trim() ? null : t('topicRules.topicMissing')),
      publish: (v, { subscribe }) => (v || subscribe ? null : t('topicRules.allowsNothing')),
    },
  })
  const { publish, kept } = form.values
  const save = useMutation({
    mutationFn: (values: typeof form.values) => {
      const body = {
        topic: values.topic.trim(),
        publish: values.publish,
        subscribe: values.subscribe,
        channel: values.publish && values.kept ? values.channel.trim() : null,
        deviceId: values.deviceId,
        deviceKind: values.deviceKind as Device['kind'] | null,
        model: values.model.trim() || null,
      }
      return rule ? changeTopicRule(rule, body) : makeTopicRule(applicationId, body)
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['topic-rules', applicationId] })
      onClose()
    },
  })
  return (
    <FormModal
      title={rule ? t('topicRules.edit') : t('topicRules.new')}
      action={rule ? t('common.save') : t('common.create')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <TextInput
        label={t('topicRules.topic')}
        description={t('topicRules.topicHelp', {
          places: '{deviceId}, {name}, {serial}, {applicationId}, {organizationId}',
        })}
        placeholder="line/{serial}/state"
        data-autofocus
        withAsterisk
        {...form.getInputProps('topic')}
      />
      <Group gap="xl">
        <Checkbox label={t('topicRules.publish')} {...form.getInputProps('publish', { type: 'checkbox' })} />
        <Checkbox
          label={t('topicRules.subscribe')}
          {...form.getInputProps('subscribe', { type: 'checkbox' })}
        />
      </Group>
      {publish && (
        <Checkbox
          label={t('topicRules.kept')}
          description={t('topicRules.keptHelp')}
          {...form.getInputProps('kept', { type: 'checkbox' })}
        />
      )}
      {publish && kept && (
        <TextInput
          label={t('topicRules.channel')}
          description={t('topicRules.channelHelp')}
          placeholder="state"
          {...form.getInputProps('channel')}
        />
      )}
      <Select
        label={t('topicRules.device')}
        placeholder={t('topicRules.everyDevice')}
        searchable
        clearable
        data={(devices ?? []).map((one) => ({ value: one.id, label: one.name }))}
        {...form.getInputProps('deviceId')}
      />
      <Select
        label={t('fields.kind')}
        placeholder={t('topicRules.everyKind')}
        clearable
        data={KINDS.map((one) => ({ value: one, label: t(`deviceKind.${one}`) }))}
        {...form.getInputProps('deviceKind')}
      />
      <TextInput
        label={t('fields.model')}
        placeholder={t('topicRules.everyModel')}
        {...form.getInputProps('model')}
      />
    </FormModal>
  )
}
