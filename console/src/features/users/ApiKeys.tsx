import {
  Button,
  Group,
  MultiSelect,
  Select,
  Stack,
  Switch,
  type SwitchProps,
  Text,
  TextInput,
} from '@mantine/core'
import { type UseFormReturnType, useForm } from '@mantine/form'
import { IconKey, IconPlus } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { ApiKey, Permission } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsQuery, organizationsQuery } from '@/features/organizations/queries'
import { PERMISSIONS } from '@/features/organizations/words'
import { useMaking } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { DayInput } from '@/parts/DayInput'
import { Empty } from '@/parts/Empty'
import { FormModal } from '@/parts/FormModal'
import { changes, showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { SecretModal } from '@/parts/Secret'
import { Time } from '@/parts/Time'
import { changeApiKey, listApiKeys, makeApiKey, removeApiKey } from './queries'

/** Keys for programs. */
export function ApiKeys() {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const [making, setMaking] = useMaking()
  const [shown, setShown] = useState<string | null>(null)
  const [editing, setEditing] = useState<ApiKey | null>(null)
  const [removing, setRemoving] = useState<ApiKey | null>(null)
  const groups = useQuery(groupsQuery(organizationId)).data?.items ?? []
  const list = usePages(['api-keys', organizationId], (after) => listApiKeys({ organizationId }, after))
  const refresh = () => void client.invalidateQueries({ queryKey: ['api-keys'] })
  const make = can('users:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      {t('apiKeys.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.apiKeys')}
      lead={t('apiKeys.lead')}
      action={make}
      calls={[{ path: '/api/v1/api-keys', query: { organizationId } }]}
    >
      <DataList
        name="api-keys"
        label={t('places.apiKeys')}
        list={list}
        rowKey={(key) => key.id}
        columns={[
          { key: 'name', label: t('fields.name'), cell: (key) => key.name },
          {
            key: 'groups',
            label: t('places.permissions'),
            cell: (key) =>
              key.permissionGroupIds
                .map((id) => groups.find((group) => group.id === id)?.name ?? '…')
                .join(', '),
          },
          {
            key: 'scopes',
            label: t('apiKeys.scopes'),
            cell: (key) =>
              key.scopes
                ? key.scopes.map((scope) => t(`rights.${scope.replace(':', '_')}` as never)).join(', ')
                : t('apiKeys.everything'),
          },
          {
            key: 'expiresAt',
            label: t('apiKeys.expires'),
            width: '140px',
            cell: (key) => (key.expiresAt ? format.date(key.expiresAt) : t('users.never')),
          },
          {
            key: 'usedAt',
            label: t('apiKeys.used'),
            width: '140px',
            cell: (key) => <Time at={key.usedAt} />,
          },
          {
            key: 'act',
            label: '',
            width: '190px',
            cell: (key) =>
              can('users:manage', key.organizationId) && (
                <Group gap={4} wrap="nowrap">
                  <Button size="compact-sm" variant="subtle" onClick={() => setEditing(key)}>
                    {t('common.edit')}
                  </Button>
                  <Button size="compact-sm" variant="subtle" color="red" onClick={() => setRemoving(key)}>
                    {t('apiKeys.revoke')}
                  </Button>
                </Group>
              ),
          },
        ]}
        empty={
          <Empty icon={IconKey} title={t('apiKeys.emptyTitle')} action={make}>
            {t('apiKeys.empty')}
          </Empty>
        }
      />
      {making && (
        <NewKey
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setMaking(false)
            setShown(key)
            refresh()
          }}
        />
      )}
      {editing && (
        <EditKey
          of={editing}
          onClose={() => setEditing(null)}
          onDone={() => {
            setEditing(null)
            refresh()
          }}
        />
      )}
      {shown && (
        <SecretModal title={t('apiKeys.shown')} secret={shown} onClose={() => setShown(null)}>
          <CodeBlock
            code={`curl -H 'X-API-KEY: ${shown}' \\\n  ${window.location.origin}/api/v1/devices`}
            label="curl"
          />
        </SecretModal>
      )}
      {removing && (
        <Confirm
          title={t('apiKeys.revoke')}
          action={t('apiKeys.revoke')}
          act={() => removeApiKey(removing.id)}
          onClose={() => setRemoving(null)}
          onDone={refresh}
        >
          {t('apiKeys.revokeAsk', { name: removing.name })}
        </Confirm>
      )}
    </Page>
  )
}

const LIFETIMES = { days30: 30, days90: 90, year: 365, never: null } as const

function NewKey({ onClose, onMade }: { onClose: () => void; onMade: (key: string) => void }) {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const form = useForm({
    initialValues: {
      name: '',
      organizationId: organizationId ?? organizations[0]?.id ?? '',
      permissionGroupIds: [] as string[],
      scopes: [] as Permission[],
      basic: false,
      lifetime: 'year' as keyof typeof LIFETIMES,
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      permissionGroupIds: (v) => (v.length ? null : t('forms.choose')),
    },
  })
  const make = useMutation({
    mutationFn: ({ lifetime, scopes, ...values }: typeof form.values) => {
      const days = LIFETIMES[lifetime]
      return makeApiKey({
        ...values,
        scopes: scopes.length ? scopes : null,
        expiresAt: days === null ? null : new Date(Date.now() + days * 86_400_000).toISOString(),
      })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: (made) => onMade(made.key),
  })
  return (
    <FormModal
      title={t('apiKeys.new')}
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
            allowDeselect={false}
            searchable
            data={organizations.map((o) => ({ value: o.id, label: o.name }))}
            {...form.getInputProps('organizationId')}
            onChange={(id) => form.setValues({ organizationId: id ?? '', permissionGroupIds: [] })}
          />
        )}
        <Rights form={form} organizationId={form.values.organizationId} />
        <Select
          label={t('apiKeys.lifetime')}
          allowDeselect={false}
          data={(Object.keys(LIFETIMES) as (keyof typeof LIFETIMES)[]).map((one) => ({
            value: one,
            label: t(`apiKeys.lifetimes.${one}`),
          }))}
          {...form.getInputProps('lifetime')}
        />
        <AsBasic {...form.getInputProps('basic', { type: 'checkbox' })} />
        <Text fz="sm" c="dimmed">
          {t('apiKeys.onceHelp')}
        </Text>
      </Stack>
    </FormModal>
  )
}

function EditKey({ of: key, onClose, onDone }: { of: ApiKey; onClose: () => void; onDone: () => void }) {
  const { t } = useTranslation()
  const before = {
    name: key.name,
    permissionGroupIds: key.permissionGroupIds,
    scopes: key.scopes ?? [],
    basic: key.basic,
    expiresAt: key.expiresAt,
  }
  const form = useForm({
    initialValues: before,
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      permissionGroupIds: (v) => (v.length ? null : t('forms.choose')),
    },
  })
  const save = useMutation({
    mutationFn: (values: typeof before) => {
      const { scopes, ...changed } = changes(before, values)
      return changeApiKey(key.id, { ...changed, ...(scopes && { scopes: scopes.length ? scopes : null }) })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      onDone()
    },
  })
  return (
    <FormModal
      title={t('apiKeys.edit')}
      action={t('common.save')}
      size="md"
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        <Rights form={form} organizationId={key.organizationId} />
        <DayInput label={t('apiKeys.lastDay')} {...form.getInputProps('expiresAt')} />
        <AsBasic {...form.getInputProps('basic', { type: 'checkbox' })} />
      </Stack>
    </FormModal>
  )
}

function AsBasic(input: SwitchProps) {
  const { t } = useTranslation()
  return <Switch label={t('apiKeys.basic')} description={t('apiKeys.basicHelp')} {...input} />
}

interface RightsProps {
  form: Pick<UseFormReturnType<{ permissionGroupIds: string[]; scopes: Permission[] }>, 'getInputProps'>
  organizationId: string | null
}

/** What a key may do: the groups it is in, and fewer rights than these give. */
function Rights({ form, organizationId }: RightsProps) {
  const { t } = useTranslation()
  const groups = useQuery(groupsQuery(organizationId || undefined)).data?.items ?? []
  const scopes = form.getInputProps('scopes')
  return (
    <>
      <MultiSelect
        label={t('places.permissions')}
        description={t('apiKeys.groupsHelp')}
        withAsterisk
        searchable
        data={groups
          .filter((group) => group.organizationId === organizationId)
          .map((group) => ({ value: group.id, label: group.name }))}
        {...form.getInputProps('permissionGroupIds')}
      />
      <MultiSelect
        label={t('apiKeys.scopes')}
        description={t('apiKeys.scopesHelp')}
        placeholder={scopes.value.length ? undefined : t('apiKeys.everything')}
        searchable
        clearable
        data={PERMISSIONS.map((one) => ({
          value: one,
          label: t(`rights.${one.replace(':', '_')}` as never) as string,
        }))}
        {...scopes}
      />
    </>
  )
}
