import { Checkbox, MultiSelect, Select, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Permission, PermissionGroup, Role } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { changeGroup, makeGroup, organizationsQuery } from './queries'
import { PERMISSIONS, ROLES } from './words'

interface Props {
  group?: PermissionGroup & { etag: string | null }
  onClose: () => void
}

/** Make or change a permission group. */
export function GroupForm({ group, onClose }: Props) {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const client = useQueryClient()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const form = useForm({
    initialValues: {
      organizationId: group ? group.organizationId : (organizationId ?? organizations[0]?.id ?? null),
      name: group?.name ?? '',
      roles: (group?.roles ?? ['Read']) as Role[],
      permissions: (group?.permissions ?? []) as Permission[],
      // Who administers nobody makes groups for applications they manage.
      everyApplication: group?.everyApplication ?? can('users:manage'),
      addNewApplications: group?.addNewApplications ?? false,
      ownDevices: group?.ownDevices ?? false,
      provenOnly: group?.provenOnly ?? false,
      applicationIds: group?.applicationIds ?? [],
    },
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
  const applications = useQuery(applicationsQuery(form.values.organizationId ?? undefined)).data?.items ?? []
  const save = useMutation({
    mutationFn: async (values: typeof form.values) => {
      const { organizationId: organization, ...given } = values
      const ownDevices = given.ownDevices && !given.everyApplication
      const rest = {
        ...given,
        ownDevices,
        // One's own devices may be in any application.
        ...(ownDevices && { addNewApplications: false, applicationIds: [] }),
      }
      if (group) return changeGroup(group.id, group.etag, rest)
      return makeGroup({ organizationId: organization, ...rest })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['permissions'] })
      onClose()
    },
  })
  return (
    <FormModal
      title={group ? t('permissions.edit') : t('permissions.new')}
      action={group ? t('common.save') : t('common.create')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        {!group && (
          <Select
            label={t('fields.organization')}
            allowDeselect={false}
            searchable
            data={organizations.map((o) => ({ value: o.id, label: o.name }))}
            {...form.getInputProps('organizationId')}
          />
        )}
        <MultiSelect
          label={t('fields.roles')}
          data={ROLES.filter((r) => group?.organizationId === null || r !== 'GlobalAdmin').map((role) => ({
            value: role,
            label: t(`roles.${role}`),
          }))}
          {...form.getInputProps('roles')}
        />
        <Checkbox.Group
          label={t('permissions.singles')}
          description={t('permissions.singlesHelp')}
          {...form.getInputProps('permissions')}
        >
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing={8} mt={8}>
            {PERMISSIONS.map((permission) => (
              <Checkbox
                key={permission}
                value={permission}
                label={t(`rights.${permission.replace(':', '_')}` as never)}
                size="xs"
              />
            ))}
          </SimpleGrid>
        </Checkbox.Group>
        <Switch
          label={t('permissions.provenOnly')}
          description={t('permissions.provenOnlyHelp')}
          {...form.getInputProps('provenOnly', { type: 'checkbox' })}
        />
        <Switch
          label={t('permissions.everyApplication')}
          description={t('permissions.everyApplicationHelp')}
          {...form.getInputProps('everyApplication', { type: 'checkbox' })}
        />
        {!form.values.everyApplication && can('users:manage') && (
          <Switch
            label={t('permissions.ownDevices')}
            description={t('permissions.ownDevicesHelp')}
            {...form.getInputProps('ownDevices', { type: 'checkbox' })}
          />
        )}
        {!form.values.everyApplication && !form.values.ownDevices && (
          <>
            <MultiSelect
              label={t('places.applications')}
              searchable
              clearable
              data={applications.map((a) => ({ value: a.id, label: a.name }))}
              {...form.getInputProps('applicationIds')}
            />
            <Switch
              label={t('permissions.addNew')}
              {...form.getInputProps('addNewApplications', { type: 'checkbox' })}
            />
          </>
        )}
      </Stack>
    </FormModal>
  )
}
