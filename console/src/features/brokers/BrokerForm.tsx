import { Checkbox, Select, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Broker, ShownBroker } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { changeBroker, makeBroker } from './queries'
import { Shown } from './Setup'
import { KINDS } from './words'

interface Props {
  broker?: Broker & { etag: string | null }
  onClose: () => void
  onMade?: (made: ShownBroker) => void
}

const EVERYBODY = 'all'

/** Register or change a broker; what is shown once is shown before anything else. */
export function BrokerForm({ broker, onClose, onMade }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const [shown, setShown] = useState<ShownBroker | null>(null)
  const form = useForm({
    initialValues: {
      organizationId: broker?.organizationId ?? organizationId ?? '',
      name: broker?.name ?? '',
      kind: broker?.kind ?? ('mosquitto' as Broker['kind']),
      certified: broker?.certified ?? false,
      url: broker?.url ?? '',
    },
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
  const values = form.values
  const owners = [
    ...(can('sources:manage', null) ? [{ value: EVERYBODY, label: t('brokers.everybody') }] : []),
    ...organizations.map((one) => ({ value: one.id, label: one.name })),
  ]
  const owner = values.organizationId || (owners.length === 1 ? (owners[0]?.value ?? '') : '')
  const isNats = values.kind === 'nats'
  const isWatched = isNats || values.kind === 'rabbitmq'
  const save = useMutation({
    mutationFn: async () => {
      const { name, certified } = values
      const url = isWatched ? { url: values.url.trim() || null } : {}
      if (broker) return void (await changeBroker(broker.id, broker.etag, { name, certified, ...url }))
      const made = await makeBroker({
        organizationId: owner === EVERYBODY ? null : owner,
        name,
        kind: values.kind,
        certified,
        ...url,
      })
      setShown(made)
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['brokers'] })
      if (broker) onClose()
    },
  })
  if (shown) return <Shown shown={shown} onClose={() => onMade?.(shown)} />
  return (
    <FormModal
      title={broker ? t('brokers.edit') : t('brokers.new')}
      action={broker ? t('common.save') : t('common.create')}
      onSubmit={form.onSubmit(() => save.mutate())}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      {!broker && owners.length > 1 && (
        <Select
          label={t('fields.organization')}
          withAsterisk
          searchable
          allowDeselect={false}
          data={owners}
          {...form.getInputProps('organizationId')}
        />
      )}
      <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
      {!broker && (
        <Select label={t('fields.kind')} allowDeselect={false} data={KINDS} {...form.getInputProps('kind')} />
      )}
      {isWatched && (
        <TextInput
          label={t('sources.url')}
          description={isNats ? t('brokers.natsHelp') : t('brokers.managementHelp')}
          placeholder={isNats ? 'tls://' : 'https://'}
          withAsterisk={isNats}
          {...form.getInputProps('url')}
        />
      )}
      <Checkbox
        label={t('brokers.certified')}
        description={t('brokers.certifiedHelp')}
        {...form.getInputProps('certified', { type: 'checkbox' })}
      />
    </FormModal>
  )
}
