import { Button, Select, Stack, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconBuilding, IconPlus } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { useAddress, useMaking } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { useGo } from '@/parts/go'
import { told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Time } from '@/parts/Time'
import { foundOrganization, listOrganizations } from './queries'

/** The organizations one belongs to. */
export function Organizations() {
  const { t } = useTranslation()
  const { can } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const [making, setMaking] = useMaking()
  const list = usePages(['organizations', 'list', address.q], (after) => listOrganizations(address.q, after))
  const may = can('installation:manage')
  const make = may && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      {t('organizations.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.organizations')}
      lead={t('organizations.lead')}
      action={make}
      calls={[{ path: '/api/v1/organizations', query: { q: address.q, sort: 'name' } }]}
    >
      <DataList
        name="organizations"
        label={t('places.organizations')}
        list={list}
        rowKey={(o) => o.id}
        onOpen={(o) => go(`/organizations/${o.id}`)}
        tools={<Filters name="organizations" search="q" value={{ q: address.q }} onChange={setAddress} />}
        columns={[
          { key: 'name', label: t('fields.name'), cell: (o) => o.name },
          {
            key: 'contacts',
            label: t('fields.contacts'),
            cell: (o) => o.contacts.map((c) => c.name).join(', ') || '–',
          },
          { key: 'timeZone', label: t('fields.timeZone'), cell: (o) => o.timeZone },
          { key: 'updatedAt', label: t('fields.updatedAt'), cell: (o) => <Time at={o.updatedAt} /> },
        ]}
        empty={
          <Empty icon={IconBuilding} title={t('organizations.emptyTitle')} action={make}>
            {t('organizations.empty')}
          </Empty>
        }
      />
      {making && <NewOrganization onClose={() => setMaking(false)} />}
    </Page>
  )
}

function NewOrganization({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const go = useGo()
  const form = useForm({
    initialValues: { name: '', timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone },
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
    validateInputOnBlur: true,
  })
  const make = useMutation({
    mutationFn: foundOrganization,
    onError: (failure) => showProblems(form, failure),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ['organizations'] })
      told(t('common.made', { name: made.name }))
      go(`/organizations/${made.id}`)
    },
  })
  return (
    <FormModal
      title={t('organizations.new')}
      action={t('common.create')}
      onSubmit={form.onSubmit((values) => make.mutate(values))}
      onClose={onClose}
      pending={make.isPending}
      failure={make.error}
      size="md"
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        <TimeZone {...form.getInputProps('timeZone')} />
      </Stack>
    </FormModal>
  )
}

/** Choose a time zone of the IANA database. */
export function TimeZone(props: { value?: string; onChange?: (zone: string | null) => void }) {
  const { t } = useTranslation()
  return (
    <Select
      label={t('fields.timeZone')}
      description={t('organizations.timeZoneHelp')}
      searchable
      allowDeselect={false}
      limit={80}
      data={[...new Set(['UTC', ...Intl.supportedValuesOf('timeZone')])]}
      {...props}
    />
  )
}
