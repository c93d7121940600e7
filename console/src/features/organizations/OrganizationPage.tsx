import { Button, Group, Select, SimpleGrid, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Organization } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { Confirm } from '@/parts/Confirm'
import { CopyValue } from '@/parts/Copy'
import { Failure, FormFailure } from '@/parts/Failure'
import { changes, mergePatch, showProblems } from '@/parts/form'
import { durationSeconds } from '@/parts/format'
import { useGo } from '@/parts/go'
import { told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Facts, Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { DeviceAuthorities } from './DeviceAuthorities'
import { KEPT, KEPT_BY_ORGANIZATION, KeepingFields, useKeptByDefault } from './Keeping'
import { TimeZone } from './Organizations'
import { QuotaFields, useQuotaRows } from './Quotas'
import { changeOrganization, dissolveOrganization, organizationQuery } from './queries'

/** One organization: its contacts, its settings, its end. */
export function OrganizationPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const go = useGo()
  const client = useQueryClient()
  const found = useQuery(organizationQuery(id))
  const quotaRows = useQuotaRows()
  const [ending, setEnding] = useState(false)
  if (found.error) return <Failure of={found.error} retry={() => void found.refetch()} />
  const organization = found.data
  const may = can('organizations:manage', id)
  return (
    <Page
      title={organization?.name ?? '…'}
      crumbs={[{ label: t('places.organizations'), to: '/organizations' }]}
      calls={[{ path: `/api/v1/organizations/${id}` }]}
    >
      {!organization ? (
        <Skeleton height={320} />
      ) : (
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <Panel title={t('organizations.details')}>
            <OrganizationForm key={organization.updatedAt} organization={organization} readOnly={!may} />
          </Panel>
          <Stack>
            <Panel title={t('common.about')}>
              <Facts
                rows={[
                  [t('fields.id'), <CopyValue key="id" value={organization.id} />],
                  [t('fields.createdAt'), <Time key="c" at={organization.createdAt} />],
                  [t('fields.updatedAt'), <Time key="u" at={organization.updatedAt} />],
                ]}
              />
            </Panel>
            <Panel title={t('keeping.title')}>
              <KeepingForm key={organization.updatedAt} organization={organization} readOnly={!may} />
            </Panel>
            <Panel title={t('fields.quotas')}>
              {can('installation:manage') ? (
                <QuotaForm key={organization.updatedAt} organization={organization} />
              ) : (
                <>
                  <Facts rows={quotaRows(organization.quotas)} />
                  <Text fz="sm" c="dimmed" mt="xs">
                    {t('quotas.organizationHelp')}
                  </Text>
                </>
              )}
            </Panel>
            <DeviceAuthorities organizationId={id} may={can('devices:manage', id)} />
            {can('installation:manage') && (
              <Panel title={t('common.danger')}>
                <Group justify="space-between">
                  <Text c="dimmed" flex={1} miw={200}>
                    {t('organizations.dissolveHelp')}
                  </Text>
                  <Button
                    color="red"
                    variant="light"
                    leftSection={<IconTrash size={16} />}
                    onClick={() => setEnding(true)}
                  >
                    {t('organizations.dissolve')}
                  </Button>
                </Group>
              </Panel>
            )}
          </Stack>
        </SimpleGrid>
      )}
      {ending && organization && (
        <Confirm
          title={t('organizations.dissolve')}
          action={t('organizations.dissolve')}
          name={organization.name}
          act={() => dissolveOrganization(id)}
          onClose={() => setEnding(false)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['organizations'] })
            go('/organizations')
          }}
        >
          {t('organizations.dissolveAsk', { name: organization.name })}
        </Confirm>
      )}
    </Page>
  )
}

type Tagged = Organization & { etag: string | null }

function OrganizationForm({ organization, readOnly }: { organization: Tagged; readOnly: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const before = {
    name: organization.name,
    timeZone: organization.timeZone,
    secondFactor: organization.secondFactor,
    contacts: organization.contacts.map((c) => ({
      name: c.name,
      email: c.email ?? '',
      phone: c.phone ?? '',
      role: c.role ?? '',
    })),
  }
  const form = useForm({
    initialValues: before,
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
  const save = useMutation({
    mutationFn: (values: typeof before) => {
      const changed = changes(before, values)
      const contacts = changed.contacts?.map((c) => ({
        name: c.name,
        email: c.email || null,
        phone: c.phone || null,
        role: c.role || null,
      }))
      return changeOrganization(organization.id, organization.etag, {
        ...changed,
        ...(contacts && { contacts }),
      })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['organizations'] })
    },
  })
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
      <fieldset disabled={readOnly} style={{ border: 0, padding: 0, margin: 0 }}>
        <Stack>
          <TextInput label={t('fields.name')} withAsterisk {...form.getInputProps('name')} />
          <TimeZone {...form.getInputProps('timeZone')} />
          <Select
            label={t('organizations.secondFactor')}
            description={t('organizations.secondFactorHelp')}
            allowDeselect={false}
            data={(['nobody', 'administrators', 'everybody'] as const).map((whom) => ({
              value: whom,
              label: t(`organizations.askedOf.${whom}`),
            }))}
            {...form.getInputProps('secondFactor')}
          />
          <Title order={3}>{t('fields.contacts')}</Title>
          {form.values.contacts.map((contact, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: contacts have no identity.
            <SimpleGrid key={i} cols={{ base: 1, xs: 2 }} spacing="xs">
              <TextInput label={t('fields.name')} {...form.getInputProps(`contacts.${i}.name`)} />
              <TextInput label={t('fields.role')} {...form.getInputProps(`contacts.${i}.role`)} />
              <TextInput
                label={t('fields.email')}
                type="email"
                {...form.getInputProps(`contacts.${i}.email`)}
              />
              <Group wrap="nowrap" align="flex-end" gap="xs">
                <TextInput
                  flex={1}
                  label={t('fields.phone')}
                  type="tel"
                  {...form.getInputProps(`contacts.${i}.phone`)}
                />
                <Button
                  variant="default"
                  px={8}
                  aria-label={t('common.removeName', { name: contact.name })}
                  onClick={() => form.removeListItem('contacts', i)}
                >
                  <IconTrash size={16} />
                </Button>
              </Group>
            </SimpleGrid>
          ))}
          {!readOnly && (
            <>
              <Button
                variant="subtle"
                size="compact-sm"
                leftSection={<IconPlus size={14} />}
                style={{ alignSelf: 'flex-start' }}
                onClick={() => form.insertListItem('contacts', { name: '', email: '', phone: '', role: '' })}
              >
                {t('common.addContact')}
              </Button>
              <FormFailure of={save.error} />
              <Group justify="flex-end">
                <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
                  {t('common.save')}
                </Button>
              </Group>
            </>
          )}
        </Stack>
      </fieldset>
    </form>
  )
}

function KeepingForm({ organization, readOnly }: { organization: Tagged; readOnly: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const before = {
    keepMessages: organization.keepMessages,
    keepReadings: organization.keepReadings,
    keepSummaries: organization.keepSummaries,
    keepResults: organization.keepResults,
    keepFacts: organization.keepFacts,
  }
  const least = (days: number) => (iso: string | null) =>
    iso && (durationSeconds(iso) ?? 0) < days * 86_400 ? t('keeping.tooShort', { count: days }) : null
  const form = useForm({
    initialValues: before,
    validate: {
      ...Object.fromEntries(KEPT.map((what) => [what, least(1)])),
      keepFacts: least(30),
    },
  })
  const byDefault = useKeptByDefault()
  const save = useMutation({
    mutationFn: (values: typeof before) =>
      changeOrganization(organization.id, organization.etag, changes(before, values)),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['organizations'] })
    },
  })
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
      <fieldset disabled={readOnly} style={{ border: 0, padding: 0, margin: 0 }}>
        <Stack>
          <Text fz="sm" c="dimmed">
            {t('keeping.help')}
          </Text>
          <KeepingFields
            what={KEPT_BY_ORGANIZATION}
            byDefault={byDefault}
            cols={1}
            field={(what) => form.getInputProps(what)}
          />
          {!readOnly && (
            <>
              <FormFailure of={save.error} />
              <Group justify="flex-end">
                <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
                  {t('common.save')}
                </Button>
              </Group>
            </>
          )}
        </Stack>
      </fieldset>
    </form>
  )
}

function QuotaForm({ organization }: { organization: Tagged }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [quotas, setQuotas] = useState(organization.quotas)
  const save = useMutation({
    mutationFn: () =>
      changeOrganization(organization.id, organization.etag, {
        quotas: mergePatch(organization.quotas, quotas),
      }),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['organizations'] })
    },
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        save.mutate()
      }}
    >
      <Stack>
        <Text fz="sm" c="dimmed">
          {t('quotas.help')}
        </Text>
        <QuotaFields value={quotas} onChange={setQuotas} />
        <FormFailure of={save.error} />
        <Group justify="flex-end">
          <Button type="submit" loading={save.isPending}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
