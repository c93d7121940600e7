import { Checkbox, MultiSelect, Select, Stack, Switch, Textarea, TextInput } from '@mantine/core'
import { type UseFormReturnType, useForm } from '@mantine/form'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { MadeOauthClient, OauthClient, OauthClientBody, Permission } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsQuery, organizationsQuery } from '@/features/organizations/queries'
import { PERMISSIONS } from '@/features/organizations/words'
import { FormModal } from '@/parts/FormModal'
import { changes, showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { changeClient, makeClient } from './queries'

type Way = NonNullable<OauthClientBody['grantTypes']>[number]
const DEVICE: Way = 'urn:ietf:params:oauth:grant-type:device_code'
const SIGNED: Way = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const WAYS: [Way, 'authorization_code' | 'device_code' | 'client_credentials' | 'jwt-bearer' | 'password'][] =
  [
    ['authorization_code', 'authorization_code'],
    [DEVICE, 'device_code'],
    ['client_credentials', 'client_credentials'],
    [SIGNED, 'jwt-bearer'],
    ['password', 'password'],
  ]
const AS_ITSELF: Way[] = ['client_credentials', SIGNED]

interface Values {
  name: string
  ways: Way[]
  addresses: string
  scopes: Permission[]
  permissionGroupIds: string[]
  keys: string
  certificates: string
}

/** Read public keys: a key set, a list of keys or one key, as JSON; null where it is none. */
function readKeys(text: string): Record<string, unknown>[] | null {
  if (!text.trim()) return []
  try {
    const read = JSON.parse(text)
    const keys = read?.keys ?? read
    const list = Array.isArray(keys) ? keys : [keys]
    return list.every((key) => typeof key === 'object' && key !== null) ? list : null
  } catch {
    return null
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Read certificates in PEM, one after another; null where there is anything else. */
const readCertificates = (text: string): string[] | null =>
  text.replace(CERTIFICATE, '').trim() ? null : (text.match(CERTIFICATE) ?? [])

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

/** What is sent of the fields; who acts in somebody's name may go on while they are away. */
const sent = ({ ways, addresses, keys, certificates, ...values }: Values) => ({
  ...values,
  grantTypes: [
    ...ways,
    ...(ways.some((way) => !AS_ITSELF.includes(way)) ? (['refresh_token'] as Way[]) : []),
  ],
  redirectUris: lines(addresses),
  keys: (readKeys(keys) ?? []) as OauthClientBody['keys'],
  certificates: readCertificates(certificates) ?? [],
})

export function NewProgram({
  onClose,
  onMade,
}: {
  onClose: () => void
  onMade: (made: MadeOauthClient) => void
}) {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const form = useForm({
    initialValues: {
      organizationId: organizationId ?? organizations[0]?.id ?? '',
      confidential: true,
      name: '',
      ways: ['authorization_code'] as Way[],
      addresses: '',
      scopes: [] as Permission[],
      permissionGroupIds: [] as string[],
      keys: '',
      certificates: '',
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      ways: (v) => (v.length ? null : t('forms.choose')),
      scopes: (v) => (v.length ? null : t('forms.choose')),
      keys: (v) => (readKeys(v) ? null : t('programs.keysWrong')),
      certificates: (v) => (readCertificates(v) ? null : t('programs.certificatesWrong')),
    },
  })
  const make = useMutation({
    mutationFn: ({ organizationId, confidential, ...values }: typeof form.values) =>
      makeClient({
        organizationId,
        confidential,
        ...sent(confidential ? values : { ...values, keys: '', certificates: '' }),
      }),
    onError: (failure) => showProblems(form, failure),
    onSuccess: onMade,
  })
  return (
    <FormModal
      title={t('programs.new')}
      action={t('common.create')}
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
        <Switch
          label={t('programs.confidentialAsk')}
          description={t('programs.confidentialHelp')}
          {...form.getInputProps('confidential', { type: 'checkbox' })}
        />
        <Fields
          form={form as unknown as UseFormReturnType<Values>}
          organizationId={form.values.organizationId}
          confidential={form.values.confidential}
        />
      </Stack>
    </FormModal>
  )
}

export function EditProgram({
  of: client,
  onClose,
  onDone,
}: {
  of: OauthClient
  onClose: () => void
  onDone: () => void
}) {
  const { t } = useTranslation()
  const before: Values = {
    name: client.name,
    ways: client.grantTypes.filter((way) => way !== 'refresh_token'),
    addresses: client.redirectUris.join('\n'),
    scopes: client.scopes,
    permissionGroupIds: client.permissionGroupIds,
    keys: client.keys.length ? JSON.stringify({ keys: client.keys }, null, 2) : '',
    certificates: client.certificates.join('\n'),
  }
  const form = useForm({
    initialValues: before,
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      ways: (v) => (v.length ? null : t('forms.choose')),
      scopes: (v) => (v.length ? null : t('forms.choose')),
      keys: (v) => (readKeys(v) ? null : t('programs.keysWrong')),
      certificates: (v) => (readCertificates(v) ? null : t('programs.certificatesWrong')),
    },
  })
  const save = useMutation({
    mutationFn: (values: Values) => changeClient(client.id, changes(sent(before), sent(values))),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      onDone()
    },
  })
  return (
    <FormModal
      title={t('programs.edit')}
      action={t('common.save')}
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        <Fields form={form} organizationId={client.organizationId} confidential={client.confidential} />
      </Stack>
    </FormModal>
  )
}

function Fields({
  form,
  organizationId,
  confidential,
}: {
  form: UseFormReturnType<Values>
  organizationId: string | null
  confidential: boolean
}) {
  const { t } = useTranslation()
  const groups = useQuery(groupsQuery(organizationId || undefined)).data?.items ?? []
  const { ways } = form.values
  return (
    <>
      <Checkbox.Group
        label={t('programs.ways')}
        {...form.getInputProps('ways')}
        error={form.errors.ways ?? form.errors.grantTypes}
      >
        <Stack gap={6} mt={6}>
          {WAYS.map(([way, words]) => (
            <Checkbox key={way} value={way} label={t(`programs.by.${words}`)} />
          ))}
        </Stack>
      </Checkbox.Group>
      {ways.includes('authorization_code') && (
        <Textarea
          label={t('programs.addresses')}
          description={t('programs.addressesHelp')}
          placeholder="https://app.example.org/back"
          autosize
          minRows={2}
          {...form.getInputProps('addresses')}
          error={form.errors.addresses ?? form.errors.redirectUris}
        />
      )}
      <MultiSelect
        label={t('programs.scopes')}
        description={t('programs.scopesHelp')}
        withAsterisk
        searchable
        data={PERMISSIONS.map((one) => ({
          value: one,
          label: t(`rights.${one.replace(':', '_')}` as never) as string,
        }))}
        {...form.getInputProps('scopes')}
      />
      {confidential && (
        <>
          <Proof form={form} name="keys" placeholder='{"keys": [{"kty": "EC", "crv": "P-256", …}]}' />
          <Proof form={form} name="certificates" placeholder="-----BEGIN CERTIFICATE-----" />
        </>
      )}
      {ways.some((way) => AS_ITSELF.includes(way)) && (
        <MultiSelect
          label={t('places.permissions')}
          description={t('programs.groupsHelp')}
          searchable
          data={groups
            .filter((group) => group.organizationId === organizationId)
            .map((group) => ({ value: group.id, label: group.name }))}
          {...form.getInputProps('permissionGroupIds')}
        />
      )}
    </>
  )
}

/** What a program proves itself by, several in one text; the first that is wrong is told. */
function Proof({
  form,
  name,
  placeholder,
}: {
  form: UseFormReturnType<Values>
  name: 'keys' | 'certificates'
  placeholder: string
}) {
  const { t } = useTranslation()
  const wrong = Object.entries(form.errors).find(([path]) => path.startsWith(`${name}.`))?.[1]
  return (
    <Textarea
      label={t(`programs.${name}`)}
      description={t(`programs.${name}Help`)}
      placeholder={placeholder}
      autosize
      minRows={2}
      maxRows={10}
      {...form.getInputProps(name)}
      error={form.errors[name] ?? wrong}
    />
  )
}
