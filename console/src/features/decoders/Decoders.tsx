import { Badge, Button, Group, Select, Stack, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconCode, IconPlus } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { useAddress, useMaking } from '@/parts/address'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { useGo } from '@/parts/go'
import { Page } from '@/parts/Page'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { decoderKindsQuery, listDecoders, makeDecoder } from './queries'
import { skeletonOf, useKindName } from './words'

/** The decoders of one's organizations, and the shared ones. */
export function Decoders() {
  const { t } = useTranslation()
  const format = useFormat()
  const kindName = useKindName()
  const { can, organizationId } = useSession()
  const go = useGo()
  const [address, setAddress] = useAddress()
  const [making, setMaking] = useMaking()
  const filter = { q: address.q, organizationId }
  const list = usePages(['decoders', 'list', filter], (after) => listDecoders(filter, after), {
    refetchInterval: 15_000,
  })
  const make = can('decoders:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      {t('decoders.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.decoders')}
      lead={t('decoders.lead')}
      action={make}
      calls={[{ path: '/api/v1/decoders', query: filter }]}
    >
      <DataList
        name="decoders"
        label={t('places.decoders')}
        list={list}
        rowKey={(d) => d.id}
        onOpen={(d) => go(`/decoders/${d.id}`)}
        tools={<Filters name="decoders" search="q" value={{ q: address.q }} onChange={setAddress} />}
        columns={[
          {
            key: 'name',
            label: t('fields.name'),
            cell: (d) => (
              <Group gap={8} wrap="nowrap">
                {d.name}
                {d.shared && (
                  <Badge variant="light" tt="none">
                    {t('decoders.shared')}
                  </Badge>
                )}
              </Group>
            ),
          },
          { key: 'kind', label: t('fields.kind'), width: '140px', cell: (d) => kindName(d.kind) },
          {
            key: 'state',
            label: t('fields.state'),
            width: '270px',
            cell: (d) =>
              d.failures > 0 ? (
                <Status tone="bad">{t('decoders.failures', { count: d.failures })}</Status>
              ) : (
                <Status tone="good">{t('decoders.well')}</Status>
              ),
          },
          {
            key: 'devices',
            label: t('places.devices'),
            numeric: true,
            width: '100px',
            cell: (d) => format.number(d.deviceCount),
          },
          {
            key: 'version',
            label: t('decoders.version'),
            numeric: true,
            width: '100px',
            cell: (d) => d.version,
          },
          {
            key: 'updatedAt',
            label: t('fields.updatedAt'),
            width: '130px',
            cell: (d) => <Time at={d.updatedAt} />,
          },
        ]}
        empty={
          <Empty icon={IconCode} title={t('decoders.emptyTitle')} action={make}>
            {t('decoders.empty')}
          </Empty>
        }
      />
      {making && <NewDecoder onClose={() => setMaking(false)} />}
    </Page>
  )
}

function NewDecoder({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const kindName = useKindName()
  const client = useQueryClient()
  const go = useGo()
  const { organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const kinds = useQuery(decoderKindsQuery).data ?? []
  const form = useForm({
    initialValues: { name: '', organizationId: organizationId ?? '', kind: 'javascript' },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      organizationId: (v) => (v || organizations.length === 1 ? null : t('forms.choose')),
    },
  })
  const make = useMutation({
    mutationFn: (values: typeof form.values) =>
      makeDecoder(
        {
          ...values,
          organizationId: values.organizationId || (organizations[0]?.id ?? ''),
          script:
            kinds.find((kind) => kind.name === values.kind)?.needsScript === false
              ? ''
              : skeletonOf(values.kind),
        },
        false,
      ),
    onError: (failure) => showProblems(form, failure),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ['decoders'] })
      go(`/decoders/${made.id}`)
    },
  })
  return (
    <FormModal
      title={t('decoders.new')}
      action={t('common.create')}
      size="md"
      onSubmit={form.onSubmit((values) => make.mutate(values))}
      onClose={onClose}
      pending={make.isPending}
      failure={make.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        {organizations.length > 1 && (
          <Select
            label={t('fields.organization')}
            withAsterisk
            searchable
            allowDeselect={false}
            data={organizations.map((o) => ({ value: o.id, label: o.name }))}
            {...form.getInputProps('organizationId')}
          />
        )}
        <Select
          label={t('fields.kind')}
          allowDeselect={false}
          data={kinds.map((kind) => ({ value: kind.name, label: kindName(kind.name) }))}
          {...form.getInputProps('kind')}
        />
      </Stack>
    </FormModal>
  )
}
