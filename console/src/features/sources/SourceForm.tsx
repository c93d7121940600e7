import {
  Button,
  Divider,
  NumberInput,
  PasswordInput,
  Select,
  SimpleGrid,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { Source, SourceBody } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { applicationsQuery } from '@/features/groups/queries'
import { organizationsQuery } from '@/features/organizations/queries'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { changeSource, makeSource, testNewSource, testSource } from './queries'
import { A_SUBSCRIPTION, Subscriptions, type Typed } from './Subscriptions'
import { TrialResult } from './TrialResult'
import { CALLED_BY, isEncrypted } from './words'

interface Props {
  source?: Source & { etag: string | null }
  onClose: () => void
  onMade?: (made: Source) => void
}

const MONO = { input: { fontFamily: 'monospace' } }

const typed = (one: Source['subscriptions'][number]): Typed => ({
  topic: one.topic,
  qos: one.qos,
  way: one.device === null ? 'pointer' : 'device',
  device: one.device ?? one.devicePointer ?? '',
})

const asked = (one: Typed) => {
  const named = one.topic.includes('{device}')
    ? {}
    : { [one.way === 'pointer' ? 'devicePointer' : 'device']: one.device || null }
  return { topic: one.topic.trim(), qos: one.qos, ...named }
}

/** Make or change a source; it can be tried before it is kept. */
export function SourceForm({ source, onClose, onMade }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { organizationId } = useSession()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const form = useForm({
    initialValues: {
      organizationId: source?.organizationId ?? organizationId ?? '',
      name: source?.name ?? '',
      url: source?.url ?? 'mqtts://',
      version: source?.version ?? '5',
      clientId: source?.clientId ?? '',
      userName: source?.userName ?? '',
      keepAliveS: source?.keepAliveS ?? 60,
      authority: source?.authority ?? '',
      clientCertificate: source?.clientCertificate ?? '',
      subscriptions: source ? source.subscriptions.map(typed) : [A_SUBSCRIPTION],
      calledBy: source?.calledBy ?? ('name' as Source['calledBy']),
      identifierKind: source?.identifierKind ?? '',
      inboxId: source?.inboxId ?? '',
      secrets: {} as Record<string, string>,
    },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
    },
  })
  const values = form.values
  const owner = values.organizationId || (organizations.length === 1 ? (organizations[0]?.id ?? '') : '')
  const applications =
    useQuery({ ...applicationsQuery(owner || undefined), enabled: !!owner }).data?.items ?? []
  const encrypted = isEncrypted(values.url)
  const body = (): SourceBody => {
    const { secrets, subscriptions, authority, clientCertificate, inboxId, identifierKind, ...plain } = values
    return {
      ...plain,
      organizationId: owner,
      url: values.url.trim(),
      authority: (encrypted && authority) || null,
      clientCertificate: (encrypted && clientCertificate) || null,
      identifierKind: values.calledBy === 'identifier' ? identifierKind : '',
      inboxId: inboxId || null,
      subscriptions: subscriptions.map(asked),
      secrets: Object.fromEntries(Object.entries(secrets).filter(([, secret]) => secret)),
    }
  }
  const patch = () => {
    const { organizationId: _owner, ...rest } = body()
    return rest
  }
  const save = useMutation({
    mutationFn: () => (source ? changeSource(source.id, source.etag, patch()) : makeSource(body())),
    onError: (failure) => showProblems(form, failure),
    onSuccess: (kept) => {
      told(source ? t('common.saved') : t('common.made', { name: kept.name }))
      void client.invalidateQueries({ queryKey: ['sources'] })
      onClose()
      if (!source) onMade?.(kept)
    },
  })
  const trial = useMutation({
    mutationFn: () => (source ? testSource(source.id, patch()) : testNewSource(body())),
    onError: (failure) => showProblems(form, failure),
  })
  const secret = (name: string) => ({
    label: t(`secretNames.${name}` as never),
    placeholder: source?.secrets.includes(name) ? t('targets.secretSet') : undefined,
    autoComplete: 'off',
    value: values.secrets[name] ?? '',
    onChange: (event: { currentTarget: { value: string } }) =>
      form.setFieldValue('secrets', { ...values.secrets, [name]: event.currentTarget.value }),
    error: form.errors[`secrets.${name}`],
  })
  return (
    <FormModal
      title={source ? t('sources.edit') : t('sources.new')}
      action={source ? t('common.save') : t('common.create')}
      size="xl"
      onSubmit={form.onSubmit(() => save.mutate())}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error ?? trial.error}
    >
      {!source && organizations.length > 1 && (
        <Select
          label={t('fields.organization')}
          withAsterisk
          searchable
          allowDeselect={false}
          data={organizations.map((one) => ({ value: one.id, label: one.name }))}
          {...form.getInputProps('organizationId')}
        />
      )}
      <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput
          label={t('sources.url')}
          description={t('sources.urlHelp')}
          withAsterisk
          {...form.getInputProps('url')}
        />
        <TextInput
          label={t('sources.clientId')}
          description={t('sources.clientIdHelp')}
          {...form.getInputProps('clientId')}
        />
        <TextInput label={t('fields.userName')} autoComplete="off" {...form.getInputProps('userName')} />
        <PasswordInput {...secret('password')} />
        <NumberInput
          label={t('sources.keepAlive')}
          min={5}
          max={3600}
          allowDecimal={false}
          {...form.getInputProps('keepAliveS')}
        />
        <Select
          label={t('sources.version')}
          allowDeselect={false}
          data={[
            { value: '5', label: 'MQTT 5' },
            { value: '3.1.1', label: 'MQTT 3.1.1' },
          ]}
          {...form.getInputProps('version')}
        />
      </SimpleGrid>
      {encrypted && (
        <>
          <Divider label={t('sources.tls')} labelPosition="left" />
          <Textarea
            label={t('sources.authority')}
            description={t('sources.authorityHelp')}
            styles={MONO}
            autosize
            minRows={2}
            maxRows={6}
            {...form.getInputProps('authority')}
          />
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            <Textarea
              label={t('sources.clientCertificate')}
              styles={MONO}
              autosize
              minRows={2}
              maxRows={6}
              {...form.getInputProps('clientCertificate')}
            />
            <Textarea styles={MONO} autosize minRows={2} maxRows={6} {...secret('clientKey')} />
          </SimpleGrid>
        </>
      )}
      <Divider label={t('sources.subscriptions')} labelPosition="left" />
      <Subscriptions
        value={values.subscriptions}
        onChange={(next) => form.setFieldValue('subscriptions', next)}
        errors={form.errors}
      />
      <Divider label={t('sources.devices')} labelPosition="left" />
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <Select
          label={t('sources.calledBy')}
          description={t('sources.calledByHelp')}
          allowDeselect={false}
          data={CALLED_BY.map((one) => ({ value: one, label: t(`calledBy.${one}`) }))}
          {...form.getInputProps('calledBy')}
        />
        <Select
          label={t('sources.inbox')}
          description={t('sources.inboxHelp')}
          clearable
          searchable
          placeholder={t('sources.inboxNone')}
          data={applications.map((one) => ({ value: one.id, label: one.name }))}
          value={values.inboxId || null}
          onChange={(id) => form.setFieldValue('inboxId', id ?? '')}
          error={form.errors.inboxId}
        />
        {values.calledBy === 'identifier' && (
          <TextInput
            label={t('sources.identifierKind')}
            placeholder="devEui"
            withAsterisk
            {...form.getInputProps('identifierKind')}
          />
        )}
      </SimpleGrid>
      <Divider label={t('sources.trial')} labelPosition="left" />
      <Button
        variant="default"
        leftSection={<IconPlugConnected size={16} />}
        loading={trial.isPending}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => trial.mutate()}
      >
        {t('sources.try')}
      </Button>
      {trial.data && <TrialResult trial={trial.data} />}
    </FormModal>
  )
}
