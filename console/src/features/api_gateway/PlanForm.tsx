import { NumberInput, Select, SimpleGrid, Stack, Switch, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Plan } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { DurationInput } from '@/parts/DurationInput'
import { FormModal } from '@/parts/FormModal'
import { changes, showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { changePlan, makePlan, readPlan } from './queries'

interface Values {
  name: string
  description: string
  requestsPerSecond: number
  burst: number
  requests: number | ''
  dataBytes: number | ''
  period: string | null
  needsApproval: boolean
}

const EMPTY: Values = {
  name: '',
  description: '',
  requestsPerSecond: 10,
  burst: 50,
  requests: '',
  dataBytes: '',
  period: 'P1D',
  needsApproval: true,
}

/** What is sent of the fields: an empty bound is none. */
const sent = ({ requests, dataBytes, period, ...values }: Values) => ({
  ...values,
  requests: requests === '' ? null : requests,
  dataBytes: dataBytes === '' ? null : dataBytes,
  period: period ?? 'P1D',
})

export function NewPlan({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const chief = can('installation:manage')
  const form = usePlanForm(EMPTY, organizationId ?? (chief ? '' : (organizations[0]?.id ?? '')))
  const make = useMutation({
    mutationFn: ({ organizationId: home, ...values }: typeof form.values) =>
      makePlan({ organizationId: home || null, ...sent(values) }),
    onError: (failure) => showProblems(form, failure),
    onSuccess: onDone,
  })
  const homes = [
    ...(chief ? [{ value: '', label: t('plans.installation') }] : []),
    ...organizations
      .filter((one) => can('organizations:manage', one.id))
      .map((one) => ({ value: one.id, label: one.name })),
  ]
  return (
    <FormModal
      title={t('plans.new')}
      action={t('common.create')}
      onSubmit={form.onSubmit((values) => make.mutate(values))}
      onClose={onClose}
      pending={make.isPending}
      failure={make.error}
    >
      <Stack>
        <Select
          label={t('plans.forWhom')}
          allowDeselect={false}
          searchable
          data={homes}
          {...form.getInputProps('organizationId')}
        />
        <Fields form={form} />
      </Stack>
    </FormModal>
  )
}

export function EditPlan(props: { id: string; onClose: () => void; onDone: () => void }) {
  const plan = useQuery({
    queryKey: ['plans', 'one', props.id],
    queryFn: () => readPlan(props.id),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  })
  return plan.data ? <Edit {...props} of={plan.data} /> : null
}

interface EditProps {
  of: Plan & { etag: string | null }
  onClose: () => void
  onDone: () => void
}

function Edit({ of: plan, onClose, onDone }: EditProps) {
  const { t } = useTranslation()
  const before: Values = {
    name: plan.name,
    description: plan.description,
    requestsPerSecond: plan.requestsPerSecond,
    burst: plan.burst,
    requests: plan.requests ?? '',
    dataBytes: plan.dataBytes ?? '',
    period: plan.period,
    needsApproval: plan.needsApproval,
  }
  const form = usePlanForm(before, plan.organizationId ?? '')
  const save = useMutation({
    mutationFn: ({ organizationId: _, ...values }: typeof form.values) =>
      changePlan(plan.id, plan.etag, changes(sent(before), sent(values))),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      onDone()
    },
  })
  return (
    <FormModal
      title={t('plans.edit')}
      action={t('common.save')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <Stack>
        <Fields form={form} />
      </Stack>
    </FormModal>
  )
}

function usePlanForm(before: Values, organizationId: string) {
  const { t } = useTranslation()
  return useForm({
    initialValues: { organizationId, ...before },
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
}

function Fields({ form }: { form: ReturnType<typeof usePlanForm> }) {
  const { t } = useTranslation()
  return (
    <>
      <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
      <Textarea label={t('fields.description')} autosize minRows={2} {...form.getInputProps('description')} />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <NumberInput
          label={t('plans.requestsPerSecond')}
          min={0.001}
          max={100_000}
          {...form.getInputProps('requestsPerSecond')}
        />
        <NumberInput
          label={t('plans.burst')}
          min={1}
          max={1_000_000}
          allowDecimal={false}
          {...form.getInputProps('burst')}
        />
        <NumberInput
          label={t('plans.requests')}
          placeholder={t('plans.noBound')}
          min={1}
          allowDecimal={false}
          {...form.getInputProps('requests')}
        />
        <NumberInput
          label={t('plans.dataBytes')}
          placeholder={t('plans.noBound')}
          min={1}
          allowDecimal={false}
          {...form.getInputProps('dataBytes')}
        />
        <DurationInput label={t('plans.period')} usual="days" {...form.getInputProps('period')} />
      </SimpleGrid>
      <Switch
        label={t('plans.needsApproval')}
        {...form.getInputProps('needsApproval', { type: 'checkbox' })}
      />
    </>
  )
}
