import {
  ActionIcon,
  Button,
  Divider,
  Group,
  Select,
  SimpleGrid,
  Stack,
  Switch,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { IconChevronDown, IconPlus, IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Application, ApplicationPatch } from '@/api/types'
import { holds } from '@/features/auth/holds'
import { useSession } from '@/features/auth/session'
import { KEPT, KeepingFields, useKeptByDefault } from '@/features/organizations/Keeping'
import { QuotaFields } from '@/features/organizations/Quotas'
import { foundOrganization, organizationsQuery } from '@/features/organizations/queries'
import { DurationInput } from '@/parts/DurationInput'
import { FormModal } from '@/parts/FormModal'
import { changes, mergePatch, showProblems } from '@/parts/form'
import { fromPairs, KeyValues, toPairs } from '@/parts/KeyValues'
import { told } from '@/parts/notify'
import { changeApplication, makeApplication, type Status } from './queries'
import { STATUSES } from './words'

interface Props {
  application?: Application & { etag: string | null }
  onClose: () => void
  onMade?: (made: Application) => void
}

/** What a new application is asked at once; the rest can wait. */
const ASKED_FIRST = ['name', 'description', 'organizationId', 'newOrganization']

/** Make or change an application. */
export function ApplicationForm({ application, onClose, onMade }: Props) {
  const { t } = useTranslation()
  const { me, organizationId } = useSession()
  const client = useQueryClient()
  const known = useQuery(organizationsQuery).data?.items
  const organizations = known ?? []
  const first = !application && known?.length === 0
  const before = {
    name: application?.name ?? '',
    description: application?.description ?? '',
    status: (application?.status ?? 'none') as Status,
    startDate: application?.startDate ?? null,
    endDate: application?.endDate ?? null,
    category: application?.category ?? '',
    owner: application?.owner ?? '',
    contacts: (application?.contacts ?? []).map((c) => ({
      name: c.name,
      role: c.role ?? '',
      email: c.email ?? '',
      phone: c.phone ?? '',
    })),
    personalData: application?.personalData ?? false,
    hardware: application?.hardware ?? '',
    controlledProperties: application?.controlledProperties ?? [],
    deviceKinds: application?.deviceKinds ?? [],
    metadata: toPairs(application?.metadata ?? {}),
    units: toPairs(application?.units ?? {}),
    keepMessages: application?.keepMessages ?? null,
    keepReadings: application?.keepReadings ?? null,
    keepSummaries: application?.keepSummaries ?? null,
    keepResults: application?.keepResults ?? null,
    encodeCommands: application?.encodeCommands ?? true,
    silentAfter: application?.silentAfter ?? null,
    quotas: application?.quotas ?? {},
  }
  const form = useForm({
    initialValues: {
      ...before,
      organizationId: application?.organizationId ?? organizationId ?? '',
      newOrganization: '',
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      organizationId: (v) => (v || first ? null : t('forms.choose')),
      newOrganization: (v) => (first && !v.trim() ? t('forms.nameMissing') : null),
      endDate: (v, all) => (v && all.startDate && v < all.startDate ? t('forms.endBeforeStart') : null),
    },
    validateInputOnBlur: true,
  })
  const [wanted, { open: showMore }] = useDisclosure(application !== undefined)
  const more = wanted || Object.keys(form.errors).some((field) => !ASKED_FIRST.includes(field))
  const keptByDefault = useKeptByDefault(form.values.organizationId)
  if (!form.values.organizationId && organizations.length === 1 && organizations[0]) {
    form.setFieldValue('organizationId', organizations[0].id)
  }
  const save = useMutation({
    mutationFn: async ({ organizationId: chosen, newOrganization, ...rest }: typeof form.values) => {
      const metadata = fromPairs(rest.metadata)
      const units = fromPairs(rest.units)
      if (!application) {
        const organization = first ? (await foundOrganization({ name: newOrganization })).id : chosen
        return makeApplication({ ...rest, metadata, units, organizationId: organization })
      }
      const changed = changes(before, rest)
      return changeApplication(application.id, application.etag, {
        ...changed,
        ...(changed.metadata && { metadata: mergePatch(application.metadata, metadata) }),
        ...(changed.units && { units: mergePatch(application.units, units) }),
        ...(changed.quotas && { quotas: mergePatch(application.quotas, changed.quotas) }),
      } as ApplicationPatch)
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: (kept) => {
      told(application ? t('common.saved') : t('common.made', { name: kept.name }))
      void client.invalidateQueries({ queryKey: ['organizations'] })
      void client.invalidateQueries({ queryKey: ['applications'] })
      onClose()
      if (!application) onMade?.(kept)
    },
  })
  const date = (field: 'startDate' | 'endDate') => ({
    ...form.getInputProps(field),
    value: form.values[field] ?? '',
    onChange: (event: { currentTarget: { value: string } }) =>
      form.setFieldValue(field, event.currentTarget.value || null),
  })
  return (
    <FormModal
      title={application ? t('applications.edit') : t('applications.new')}
      action={application ? t('common.save') : t('common.create')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
      {first && (
        <TextInput
          label={t('fields.organization')}
          description={t('applications.firstOrganization')}
          withAsterisk
          {...form.getInputProps('newOrganization')}
        />
      )}
      {!application && organizations.length > 1 && (
        <Select
          label={t('fields.organization')}
          withAsterisk
          searchable
          allowDeselect={false}
          data={organizations.map((o) => ({ value: o.id, label: o.name }))}
          {...form.getInputProps('organizationId')}
        />
      )}
      <Textarea label={t('fields.description')} autosize minRows={2} {...form.getInputProps('description')} />
      {!more && (
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<IconChevronDown size={14} />}
          style={{ alignSelf: 'flex-start' }}
          onClick={showMore}
        >
          {t('applications.more')}
        </Button>
      )}
      {more && (
        <>
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            <Select
              label={t('fields.status')}
              allowDeselect={false}
              data={STATUSES.map((s) => ({ value: s, label: t(`applicationStatus.${s}`) }))}
              {...form.getInputProps('status')}
            />
            <TextInput label={t('fields.category')} {...form.getInputProps('category')} />
            <TextInput type="date" label={t('fields.startDate')} {...date('startDate')} />
            <TextInput type="date" label={t('fields.endDate')} {...date('endDate')} />
            <TextInput label={t('fields.owner')} {...form.getInputProps('owner')} />
            <TextInput label={t('fields.hardware')} {...form.getInputProps('hardware')} />
            <TagsInput
              label={t('fields.controlledProperties')}
              {...form.getInputProps('controlledProperties')}
            />
            <TagsInput label={t('fields.deviceKinds')} {...form.getInputProps('deviceKinds')} />
          </SimpleGrid>
          <Switch
            label={t('fields.personalData')}
            description={t('applications.personalDataHelp')}
            {...form.getInputProps('personalData', { type: 'checkbox' })}
          />
          <Switch
            label={t('fields.encodeCommands')}
            description={t('applications.encodeCommandsHelp')}
            {...form.getInputProps('encodeCommands', { type: 'checkbox' })}
          />
          <Divider label={t('applications.keeping')} labelPosition="left" />
          <KeepingFields
            cols={2}
            what={KEPT}
            byDefault={keptByDefault}
            field={(what) => form.getInputProps(what)}
          />
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            <DurationInput
              label={t('fields.silentAfter')}
              placeholder={t('applications.silentDefault')}
              {...form.getInputProps('silentAfter')}
            />
          </SimpleGrid>
          {holds(me.grants, 'applications:manage', form.values.organizationId, { wholly: true }) && (
            <>
              <Divider label={t('fields.quotas')} labelPosition="left" />
              <Text fz="sm" c="dimmed">
                {t('quotas.help')}
              </Text>
              <QuotaFields
                value={form.values.quotas}
                onChange={(quotas) => form.setFieldValue('quotas', quotas)}
              />
            </>
          )}
          <Divider label={t('fields.contacts')} labelPosition="left" />
          <Stack gap="xs">
            {form.values.contacts.map((contact, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: contacts have no identity.
              <Group key={i} gap={6} wrap="nowrap" align="flex-end">
                <SimpleGrid cols={{ base: 1, xs: 4 }} spacing={6} flex={1}>
                  {(['name', 'role', 'email', 'phone'] as const).map((field) => (
                    <TextInput
                      key={field}
                      label={t(`fields.${field}`)}
                      {...form.getInputProps(`contacts.${i}.${field}`)}
                    />
                  ))}
                </SimpleGrid>
                <ActionIcon
                  size={34}
                  aria-label={t('common.removeName', { name: contact.name })}
                  onClick={() => form.removeListItem('contacts', i)}
                >
                  <IconTrash size={16} />
                </ActionIcon>
              </Group>
            ))}
            {form.values.contacts.length === 0 && (
              <Text fz="sm" c="dimmed">
                {t('applications.noContacts')}
              </Text>
            )}
            <Button
              variant="subtle"
              size="compact-sm"
              leftSection={<IconPlus size={14} />}
              style={{ alignSelf: 'flex-start' }}
              onClick={() => form.insertListItem('contacts', { name: '', role: '', email: '', phone: '' })}
            >
              {t('common.addContact')}
            </Button>
          </Stack>
          <KeyValues
            label={t('fields.metadata')}
            value={form.values.metadata}
            onChange={(pairs) => form.setFieldValue('metadata', pairs)}
          />
          <KeyValues
            label={t('fields.units')}
            value={form.values.units}
            onChange={(pairs) => form.setFieldValue('units', pairs)}
          />
        </>
      )}
    </FormModal>
  )
}
