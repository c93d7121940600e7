import {
  Button,
  Divider,
  NumberInput,
  PasswordInput,
  Select,
  SimpleGrid,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { UserStore, UserStoreBody } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsQuery, organizationsQuery } from '@/features/organizations/queries'
import { DurationInput } from '@/parts/DurationInput'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { Mappings } from './Mappings'
import { changeUserStore, makeUserStore, testNewUserStore, testUserStore } from './queries'
import { TrialResult } from './TrialResult'

interface Props {
  store?: UserStore & { etag: string | null }
  onClose: () => void
  onMade?: (made: UserStore) => void
}

const MONO = { input: { fontFamily: 'monospace' } }
const KINDS: UserStore['kind'][] = ['openLdap', 'activeDirectory']
const MODES: UserStore['mode'][] = ['readOnly', 'readWrite']
const NEW_ACCOUNTS: UserStore['newAccounts'][] = ['mapped', 'everybody', 'nobody']
const NESTINGS: NonNullable<UserStore['nesting']>[] = ['chain', 'walk', 'direct']
const ATTRIBUTES = ['id', 'login', 'name', 'email'] as const
const EVERYWHERE = 'everywhere'

/** Make or change a user store; it can be tried before it is kept. */
export function UserStoreForm({ store, onClose, onMade }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const global = can('installation:manage')
  const form = useForm({
    initialValues: {
      owner: store ? (store.organizationId ?? EVERYWHERE) : (organizationId ?? (global ? EVERYWHERE : '')),
      name: store?.name ?? '',
      prefix: store?.prefix ?? '',
      kind: store?.kind ?? ('openLdap' as UserStore['kind']),
      mode: store?.mode ?? ('readOnly' as UserStore['mode']),
      servers: store?.servers.join('\n') ?? '',
      authority: store?.authority ?? '',
      bindName: store?.bindName ?? '',
      password: '',
      base: store?.base ?? '',
      newBase: store?.newBase ?? '',
      userFilter: store?.userFilter ?? '',
      groupBase: store?.groupBase ?? '',
      attributes: { ...store?.attributes } as Record<string, string>,
      nesting: store?.nesting ?? '',
      domains: store?.domains ?? [],
      rank: store?.rank ?? 100,
      enabled: store?.enabled ?? true,
      newAccounts: store?.newAccounts ?? ('mapped' as UserStore['newAccounts']),
      linkByEmail: store?.linkByEmail ?? false,
      timeoutS: store?.timeoutS ?? 5,
      syncEvery: store?.syncEvery ?? 'PT15M',
      mappings: store?.mappings ?? [],
      tryName: '',
      tryPassword: '',
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
    },
  })
  const values = form.values
  const owner = values.owner || (organizations.length === 1 ? (organizations[0]?.id ?? '') : '')
  const ofOrganization = owner === EVERYWHERE ? undefined : owner
  const groups = useQuery({ ...groupsQuery(ofOrganization), enabled: !!owner }).data?.items ?? []
  const patch = () => {
    const { owner: _owner, tryName: _name, tryPassword: _secret, password, ...plain } = values
    return {
      ...plain,
      servers: values.servers.split(/\s+/).filter(Boolean),
      authority: values.authority || null,
      nesting: (values.nesting || null) as UserStore['nesting'],
      attributes: Object.fromEntries(Object.entries(values.attributes).filter(([, name]) => name)),
      mappings: values.mappings.filter((one) => one.group || one.permissionGroupIds.length),
      ...(password ? { password } : {}),
    }
  }
  const changes = () => {
    const gone = Object.keys(store?.attributes ?? {}).filter((name) => !values.attributes[name])
    const made = patch()
    return { ...made, attributes: { ...made.attributes, ...Object.fromEntries(gone.map((n) => [n, null])) } }
  }
  const body = (): UserStoreBody => ({ ...patch(), organizationId: ofOrganization ?? null })
  const whom = () => ({
    ...(values.tryName ? { tryName: values.tryName } : {}),
    ...(values.tryPassword ? { tryPassword: values.tryPassword } : {}),
  })
  const save = useMutation({
    mutationFn: () => (store ? changeUserStore(store.id, store.etag, changes()) : makeUserStore(body())),
    onError: (failure) => showProblems(form, failure),
    onSuccess: (kept) => {
      told(store ? t('common.saved') : t('common.made', { name: kept.name }))
      void client.invalidateQueries({ queryKey: ['user-stores'] })
      onClose()
      if (!store) onMade?.(kept)
    },
  })
  const trial = useMutation({
    mutationFn: () => (store ? testUserStore(store.id, changes(), whom()) : testNewUserStore(body(), whom())),
    onError: (failure) => showProblems(form, failure),
  })
  return (
    <FormModal
      title={store ? t('userStores.edit') : t('userStores.new')}
      action={store ? t('common.save') : t('common.create')}
      size="xl"
      onSubmit={form.onSubmit(() => save.mutate())}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error ?? trial.error}
    >
      {!store && (global || organizations.length > 1) && (
        <Select
          label={t('fields.organization')}
          withAsterisk
          searchable
          allowDeselect={false}
          data={[
            ...(global ? [{ value: EVERYWHERE, label: t('userStores.everywhere') }] : []),
            ...organizations.map((one) => ({ value: one.id, label: one.name })),
          ]}
          {...form.getInputProps('owner')}
        />
      )}
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        <TextInput
          label={t('userStores.prefix')}
          description={t('userStores.prefixHelp', { prefix: values.prefix || 'north' })}
          withAsterisk
          {...form.getInputProps('prefix')}
        />
        <Select
          label={t('userStores.kind')}
          allowDeselect={false}
          data={KINDS.map((one) => ({ value: one, label: t(`userStores.kinds.${one}`) }))}
          {...form.getInputProps('kind')}
        />
        <Select
          label={t('userStores.mode')}
          allowDeselect={false}
          data={MODES.map((one) => ({ value: one, label: t(`userStores.modes.${one}`) }))}
          {...form.getInputProps('mode')}
        />
      </SimpleGrid>
      <Textarea
        label={t('userStores.servers')}
        description={t('userStores.serversHelp')}
        withAsterisk
        styles={MONO}
        autosize
        minRows={1}
        {...form.getInputProps('servers')}
        error={form.errors.servers ?? form.errors['servers.0'] ?? form.errors['servers.1']}
      />
      <Textarea
        label={t('userStores.authority')}
        description={t('userStores.authorityHelp')}
        styles={MONO}
        autosize
        minRows={1}
        maxRows={6}
        {...form.getInputProps('authority')}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput
          label={t('userStores.base')}
          description={t('userStores.baseHelp')}
          placeholder="dc=example,dc=org"
          withAsterisk
          {...form.getInputProps('base')}
        />
        <TagsInput
          label={t('userStores.domains')}
          description={t('userStores.domainsHelp')}
          disabled={!global}
          placeholder="example.org"
          {...form.getInputProps('domains')}
        />
        <TextInput
          label={t('userStores.bindName')}
          placeholder="cn=moorage,dc=example,dc=org"
          autoComplete="off"
          {...form.getInputProps('bindName')}
        />
        <PasswordInput
          label={t('signIn.password')}
          placeholder={store?.hasPassword ? t('userStores.secretSet') : undefined}
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
      </SimpleGrid>
      <Divider label={t('userStores.mappings')} labelPosition="left" />
      <Select
        label={t('userStores.newAccounts')}
        allowDeselect={false}
        data={NEW_ACCOUNTS.map((one) => ({ value: one, label: t(`userStores.newAccount.${one}`) }))}
        {...form.getInputProps('newAccounts')}
      />
      <Mappings
        label={t('userStores.group')}
        placeholder="cn=operators,ou=groups,dc=example,dc=org"
        help={t('userStores.mappingsHelp')}
        value={values.mappings}
        groups={groups}
        errors={form.errors}
        onChange={(next) => form.setFieldValue('mappings', next)}
      />
      <Divider label={t('userStores.advanced')} labelPosition="left" />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput
          label={t('userStores.userFilter')}
          description={t('userStores.userFilterHelp')}
          styles={MONO}
          {...form.getInputProps('userFilter')}
        />
        <TextInput
          label={t('userStores.groupBase')}
          description={t('userStores.baseHelp')}
          {...form.getInputProps('groupBase')}
        />
        {ATTRIBUTES.map((name) => (
          <TextInput
            key={name}
            label={`${t('userStores.attributes')}: ${name}`}
            placeholder={t('userStores.usual')}
            value={values.attributes[name] ?? ''}
            onChange={(event) =>
              form.setFieldValue('attributes', { ...values.attributes, [name]: event.currentTarget.value })
            }
            error={form.errors[`attributes.${name}`]}
          />
        ))}
        <Select
          label={t('userStores.nesting')}
          clearable
          placeholder={t('userStores.usual')}
          data={NESTINGS.map((one) => ({ value: one, label: t(`userStores.nestings.${one}`) }))}
          value={values.nesting || null}
          onChange={(next) => form.setFieldValue('nesting', (next ?? '') as typeof values.nesting)}
        />
        <NumberInput
          label={t('userStores.rank')}
          min={0}
          max={1000}
          allowDecimal={false}
          {...form.getInputProps('rank')}
        />
        <DurationInput
          label={t('userStores.syncEvery')}
          usual="minutes"
          value={values.syncEvery}
          onChange={(iso) => form.setFieldValue('syncEvery', iso ?? 'PT15M')}
          error={form.errors.syncEvery}
        />
      </SimpleGrid>
      <Switch label={t('userStores.enabled')} {...form.getInputProps('enabled', { type: 'checkbox' })} />
      {owner === EVERYWHERE && (
        <Switch
          label={t('userStores.linkByEmail')}
          {...form.getInputProps('linkByEmail', { type: 'checkbox' })}
        />
      )}
      <Divider label={t('userStores.trial')} labelPosition="left" />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput label={t('userStores.tryName')} autoComplete="off" {...form.getInputProps('tryName')} />
        <PasswordInput
          label={t('userStores.tryPassword')}
          autoComplete="new-password"
          {...form.getInputProps('tryPassword')}
        />
      </SimpleGrid>
      <Button
        variant="default"
        leftSection={<IconPlugConnected size={16} />}
        loading={trial.isPending}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => trial.mutate()}
      >
        {t('userStores.try')}
      </Button>
      {trial.data && (
        <TrialResult
          passed={trial.data.passed}
          steps={trial.data.steps.map((step) => ({
            ...step,
            name: t(`userStores.steps.${step.name}` as never),
          }))}
          groups={trial.data.groups}
        />
      )}
    </FormModal>
  )
}
