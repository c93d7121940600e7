import {
  Button,
  Divider,
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
import type { IdentityProvider, IdentityProviderBody } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsQuery, organizationsQuery } from '@/features/organizations/queries'
import { Mappings } from '@/features/user_stores/Mappings'
import { TrialResult } from '@/features/user_stores/TrialResult'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import {
  changeIdentityProvider,
  makeIdentityProvider,
  testIdentityProvider,
  testNewIdentityProvider,
} from './queries'

interface Props {
  provider?: IdentityProvider & { etag: string | null }
  onClose: () => void
  onMade?: (made: IdentityProvider) => void
}

const NEW_ACCOUNTS: IdentityProvider['newAccounts'][] = ['asking', 'mapped', 'everybody', 'nobody']
const CLAIMS = ['groupsClaim', 'nameClaim', 'emailClaim'] as const
const EVERYWHERE = 'everywhere'

/** Make or change an identity provider; it can be tried before it is kept. */
export function IdentityProviderForm({ provider, onClose, onMade }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const global = can('installation:manage')
  const spoken = provider?.openIdConnect
  const form = useForm({
    initialValues: {
      owner: provider
        ? (provider.organizationId ?? EVERYWHERE)
        : (organizationId ?? (global ? EVERYWHERE : '')),
      name: provider?.name ?? '',
      openIdConnect: {
        issuer: spoken?.issuer ?? '',
        clientId: spoken?.clientId ?? '',
        scopes: spoken?.scopes ?? ['openid', 'profile', 'email'],
        groupsClaim: spoken?.groupsClaim ?? 'groups',
        nameClaim: spoken?.nameClaim ?? 'name',
        emailClaim: spoken?.emailClaim ?? 'email',
        authority: spoken?.authority ?? '',
      },
      clientSecret: '',
      enabled: provider?.enabled ?? true,
      offered: provider?.offered ?? true,
      newAccounts: provider?.newAccounts ?? ('asking' as IdentityProvider['newAccounts']),
      required: provider?.required ?? [],
      provenBy: provider?.provenBy ?? [],
      domains: provider?.domains ?? [],
      linkByEmail: provider?.linkByEmail ?? false,
      mappings: provider?.mappings ?? [],
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
    },
  })
  const values = form.values
  const owner = values.owner || (organizations.length === 1 ? (organizations[0]?.id ?? '') : '')
  const ofOrganization = owner === EVERYWHERE ? undefined : owner
  const groups = useQuery({ ...groupsQuery(ofOrganization), enabled: !!owner }).data?.items ?? []
  const changes = () => {
    const { owner: _owner, clientSecret, ...plain } = values
    return {
      ...plain,
      openIdConnect: { ...values.openIdConnect, authority: values.openIdConnect.authority || null },
      mappings: values.mappings.filter((one) => one.group || one.permissionGroupIds.length),
      ...(clientSecret ? { clientSecret } : {}),
    }
  }
  const body = (): IdentityProviderBody => ({ ...changes(), organizationId: ofOrganization ?? null })
  const save = useMutation({
    mutationFn: () =>
      provider ? changeIdentityProvider(provider.id, provider.etag, changes()) : makeIdentityProvider(body()),
    onError: (failure) => showProblems(form, failure),
    onSuccess: (kept) => {
      told(provider ? t('common.saved') : t('common.made', { name: kept.name }))
      void client.invalidateQueries({ queryKey: ['identity-providers'] })
      onClose()
      if (!provider) onMade?.(kept)
    },
  })
  const trial = useMutation({
    mutationFn: () =>
      provider ? testIdentityProvider(provider.id, changes()) : testNewIdentityProvider(body()),
    onError: (failure) => showProblems(form, failure),
  })
  return (
    <FormModal
      title={provider ? t('identityProviders.edit') : t('identityProviders.new')}
      action={provider ? t('common.save') : t('common.create')}
      size="xl"
      onSubmit={form.onSubmit(() => save.mutate())}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error ?? trial.error}
    >
      {!provider && (global || organizations.length > 1) && (
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
        <TextInput
          label={t('fields.name')}
          description={t('identityProviders.nameHelp')}
          data-autofocus
          withAsterisk
          {...form.getInputProps('name')}
        />
        <TextInput
          label={t('identityProviders.issuer')}
          description={t('identityProviders.issuerHelp')}
          placeholder="https://login.example.org/realms/town"
          withAsterisk
          {...form.getInputProps('openIdConnect.issuer')}
        />
        <TextInput
          label={t('identityProviders.clientId')}
          autoComplete="off"
          withAsterisk
          {...form.getInputProps('openIdConnect.clientId')}
        />
        <PasswordInput
          label={t('identityProviders.clientSecret')}
          placeholder={provider?.hasClientSecret ? t('userStores.secretSet') : undefined}
          autoComplete="new-password"
          {...form.getInputProps('clientSecret')}
        />
      </SimpleGrid>
      <Divider label={t('userStores.mappings')} labelPosition="left" />
      <Select
        label={t('identityProviders.newAccounts')}
        allowDeselect={false}
        data={NEW_ACCOUNTS.map((one) => ({ value: one, label: t(`identityProviders.newAccount.${one}`) }))}
        {...form.getInputProps('newAccounts')}
      />
      <Mappings
        label={t('identityProviders.group')}
        help={t('identityProviders.mappingsHelp')}
        placeholder="moorage-operators"
        value={values.mappings}
        groups={groups}
        errors={form.errors}
        onChange={(next) => form.setFieldValue('mappings', next)}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TagsInput
          label={t('identityProviders.required')}
          description={t('identityProviders.requiredHelp')}
          {...form.getInputProps('required')}
        />
        <TagsInput
          label={t('identityProviders.provenBy')}
          description={t('identityProviders.provenByHelp')}
          {...form.getInputProps('provenBy')}
        />
        <TagsInput
          label={t('userStores.domains')}
          description={t('identityProviders.domainsHelp')}
          disabled={!global}
          placeholder="example.org"
          {...form.getInputProps('domains')}
        />
        <TagsInput label={t('identityProviders.scopes')} {...form.getInputProps('openIdConnect.scopes')} />
        {CLAIMS.map((name) => (
          <TextInput
            key={name}
            label={t(`identityProviders.${name}`)}
            {...form.getInputProps(`openIdConnect.${name}`)}
          />
        ))}
      </SimpleGrid>
      <Textarea
        label={t('identityProviders.authority')}
        description={t('userStores.authorityHelp')}
        styles={{ input: { fontFamily: 'monospace' } }}
        autosize
        minRows={1}
        maxRows={6}
        {...form.getInputProps('openIdConnect.authority')}
      />
      <Switch
        label={t('identityProviders.enabled')}
        {...form.getInputProps('enabled', { type: 'checkbox' })}
      />
      <Switch
        label={t('identityProviders.offered')}
        {...form.getInputProps('offered', { type: 'checkbox' })}
      />
      {owner === EVERYWHERE && (
        <Switch
          label={t('userStores.linkByEmail')}
          {...form.getInputProps('linkByEmail', { type: 'checkbox' })}
        />
      )}
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
            name: t(`identityProviders.steps.${step.name}` as never),
          }))}
        />
      )}
    </FormModal>
  )
}
