import {
  Button,
  Divider,
  Input,
  SegmentedControl,
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
import { OpenIdConnectNames, OpenIdConnectReach } from './OpenIdConnectFields'
import {
  changeIdentityProvider,
  makeIdentityProvider,
  testIdentityProvider,
  testNewIdentityProvider,
} from './queries'
import { SamlDemands, SamlNames, SamlReach } from './SamlFields'
import { openIdConnectValues, type Protocol, samlValues, sentOf } from './settings'

interface Props {
  provider?: IdentityProvider & { etag: string | null }
  onClose: () => void
  onMade?: (made: IdentityProvider) => void
}

const NEW_ACCOUNTS: IdentityProvider['newAccounts'][] = ['asking', 'mapped', 'everybody', 'nobody']
const EVERYWHERE = 'everywhere'

/** Make or change an identity provider; it can be tried before it is kept. */
export function IdentityProviderForm({ provider, onClose, onMade }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { can, organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const global = can('installation:manage')
  const form = useForm({
    initialValues: {
      owner: provider
        ? (provider.organizationId ?? EVERYWHERE)
        : (organizationId ?? (global ? EVERYWHERE : '')),
      name: provider?.name ?? '',
      protocol: provider?.protocol ?? ('openIdConnect' as Protocol),
      openIdConnect: openIdConnectValues(provider?.openIdConnect),
      saml: samlValues(provider?.saml),
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
  const bySaml = values.protocol === 'saml'
  const owner = values.owner || (organizations.length === 1 ? (organizations[0]?.id ?? '') : '')
  const ofOrganization = owner === EVERYWHERE ? undefined : owner
  const groups = useQuery({ ...groupsQuery(ofOrganization), enabled: !!owner }).data?.items ?? []
  const changes = () => {
    const { owner: _owner, clientSecret, protocol, openIdConnect, saml, ...plain } = values
    return {
      ...plain,
      ...sentOf(protocol, openIdConnect, saml),
      mappings: values.mappings.filter((one) => one.group || one.permissionGroupIds.length),
      ...(clientSecret && !bySaml ? { clientSecret } : {}),
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
      {!provider && (
        <Input.Wrapper label={t('identityProviders.protocol')}>
          <div>
            <SegmentedControl
              aria-label={t('identityProviders.protocol')}
              data={[
                { value: 'openIdConnect', label: 'OpenID Connect' },
                { value: 'saml', label: 'SAML 2.0' },
              ]}
              {...form.getInputProps('protocol')}
            />
          </div>
        </Input.Wrapper>
      )}
      <SimpleGrid cols={{ base: 1, xs: bySaml ? 1 : 2 }}>
        <TextInput
          label={t('fields.name')}
          description={t('identityProviders.nameHelp')}
          data-autofocus
          withAsterisk
          {...form.getInputProps('name')}
        />
        {bySaml ? (
          <SamlReach
            get={form.getInputProps}
            onMetadata={(told) => form.setFieldValue('saml.metadata', told)}
          />
        ) : (
          <OpenIdConnectReach get={form.getInputProps} hasSecret={provider?.hasClientSecret ?? false} />
        )}
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
          description={t(bySaml ? 'identityProviders.saml.provenByHelp' : 'identityProviders.provenByHelp')}
          {...form.getInputProps('provenBy')}
        />
        <TagsInput
          label={t('userStores.domains')}
          description={t('identityProviders.domainsHelp')}
          disabled={!global}
          placeholder="example.org"
          {...form.getInputProps('domains')}
        />
        {bySaml ? (
          <SamlNames get={form.getInputProps} format={provider?.saml?.nameIdFormat ?? ''} />
        ) : (
          <OpenIdConnectNames get={form.getInputProps} />
        )}
      </SimpleGrid>
      <Textarea
        label={t('identityProviders.authority')}
        description={t('userStores.authorityHelp')}
        styles={{ input: { fontFamily: 'monospace' } }}
        autosize
        minRows={1}
        maxRows={6}
        {...form.getInputProps(bySaml ? 'saml.authority' : 'openIdConnect.authority')}
      />
      {bySaml && <SamlDemands get={form.getInputProps} unsolicited={values.saml.unsolicited} />}
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
