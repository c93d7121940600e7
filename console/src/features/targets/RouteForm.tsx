import {
  ActionIcon,
  Button,
  Divider,
  Group,
  MultiSelect,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  TagsInput,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Route, RouteBody, Target } from '@/api/types'
import { DecoderChoice } from '@/features/decoders/DecoderChoice'
import { listDevices } from '@/features/devices/queries'
import { DurationInput } from '@/parts/DurationInput'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { changeRoute, makeRoute } from './queries'
import { FORMS, formOf } from './words'

type Comparison = NonNullable<NonNullable<RouteBody['conditions']>[number]['comparison']>

const COMPARISONS: Comparison[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'contains', 'exists']

/** Read a typed value as what it looks like: a number, yes or no, else text. */
export function typedValue(text: string): number | boolean | string {
  if (text === 'true' || text === 'false') return text === 'true'
  const number = Number(text.replace(',', '.'))
  return text.trim() !== '' && Number.isFinite(number) ? number : text
}

interface Props {
  target: Target
  route?: Route
  onClose: () => void
}

/** Make or change a route. */
export function RouteForm({ target, route, onClose }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const devices = useQuery({
    queryKey: ['devices', 'of', target.applicationId],
    queryFn: () => listDevices({ applicationId: target.applicationId }, 'name'),
  }).data?.items
  const form = useForm({
    initialValues: {
      name: route?.name ?? '',
      form: route ? formOf(route) : 'document',
      decoderId: route?.decoderId ?? null,
      deviceIds: route?.deviceIds ?? [],
      tags: route?.tags ?? [],
      conditions: (route?.conditions ?? []).map((one) => ({ ...one, value: String(one.value ?? '') })),
      sampling: route?.sampling.every ? 'every' : route?.sampling.interval ? 'interval' : 'all',
      every: route?.sampling.every ?? 10,
      interval: route?.sampling.interval ?? 'PT1M',
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      decoderId: (v, { form }) => (form !== 'own' || v ? null : t('routes.decoderMissing')),
    },
  })
  const save = useMutation({
    mutationFn: (values: typeof form.values) => {
      const body = {
        name: values.name,
        source: values.form === 'raw' ? ('raw' as const) : ('document' as const),
        decoderId: values.form === 'own' ? values.decoderId : null,
        deviceIds: values.deviceIds.length ? values.deviceIds : null,
        tags: values.tags,
        conditions: values.conditions.map((one) => ({
          field: one.field,
          comparison: one.comparison,
          value: one.comparison === 'exists' ? null : typedValue(one.value),
        })),
        sampling: {
          every: values.sampling === 'every' ? values.every : null,
          interval: values.sampling === 'interval' ? values.interval : null,
        },
      }
      return route ? changeRoute(route.id, body) : makeRoute({ ...body, targetId: target.id })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['routes'] })
      onClose()
    },
  })
  return (
    <FormModal
      title={route ? t('routes.edit') : t('routes.new')}
      action={route ? t('common.save') : t('common.create')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
      <Select
        label={t('routes.source')}
        allowDeselect={false}
        data={FORMS.map((one) => ({ value: one, label: t(`routes.sources.${one}`) }))}
        {...form.getInputProps('form')}
      />
      {form.values.form === 'own' && (
        <DecoderChoice
          organizationId={target.organizationId}
          description={t('routes.decoderHelp')}
          withAsterisk
          {...form.getInputProps('decoderId')}
        />
      )}
      <MultiSelect
        label={t('places.devices')}
        description={t('routes.devicesHelp')}
        placeholder={form.values.deviceIds.length ? undefined : t('routes.everyDevice')}
        searchable
        clearable
        data={(devices ?? []).map((one) => ({ value: one.id, label: one.name }))}
        {...form.getInputProps('deviceIds')}
      />
      <TagsInput
        label={t('fields.tags')}
        description={t('routes.tagsHelp')}
        {...form.getInputProps('tags')}
      />
      <Divider label={t('routes.conditions')} labelPosition="left" />
      <Stack gap="xs">
        {form.values.conditions.map((condition, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: conditions have no identity.
          <Group key={i} gap={6} wrap="nowrap" align="flex-end">
            <TextInput
              flex={3}
              label={t('routes.field')}
              placeholder="readings.temperature"
              {...form.getInputProps(`conditions.${i}.field`)}
            />
            <Select
              flex={2}
              label={t('routes.comparison')}
              allowDeselect={false}
              data={COMPARISONS.map((one) => ({ value: one, label: t(`comparison.${one}`) }))}
              {...form.getInputProps(`conditions.${i}.comparison`)}
            />
            <TextInput
              flex={2}
              label={t('common.value')}
              disabled={condition.comparison === 'exists'}
              {...form.getInputProps(`conditions.${i}.value`)}
            />
            <ActionIcon
              size={34}
              aria-label={t('common.remove')}
              onClick={() => form.removeListItem('conditions', i)}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<IconPlus size={14} />}
          style={{ alignSelf: 'flex-start' }}
          onClick={() =>
            form.insertListItem('conditions', { field: 'readings.', comparison: 'gt', value: '' })
          }
        >
          {t('routes.addCondition')}
        </Button>
      </Stack>
      <Divider label={t('routes.sampling')} labelPosition="left" />
      <SegmentedControl
        data={[
          { value: 'all', label: t('routes.all') },
          { value: 'every', label: t('routes.everyN') },
          { value: 'interval', label: t('routes.perInterval') },
        ]}
        {...form.getInputProps('sampling')}
      />
      {form.values.sampling === 'every' && (
        <NumberInput label={t('routes.n')} min={1} max={1_000_000} {...form.getInputProps('every')} />
      )}
      {form.values.sampling === 'interval' && (
        <DurationInput
          label={t('routes.interval')}
          value={form.values.interval}
          onChange={(next) => form.setFieldValue('interval', next ?? 'PT1M')}
        />
      )}
    </FormModal>
  )
}
