import {
  Anchor,
  Button,
  Grid,
  Group,
  Menu,
  Modal,
  Select,
  Skeleton,
  Stack,
  Switch,
  Tabs,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconDeviceFloppy, IconDots } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useBlocker, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import type { DecoderInFull } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { useAddress } from '@/parts/address'
import { Code } from '@/parts/Code'
import { Confirm } from '@/parts/Confirm'
import { Failure, FormFailure } from '@/parts/Failure'
import { changes, mergePatch, showProblems } from '@/parts/form'
import { useGo } from '@/parts/go'
import { fromPairs, KeyValues, toPairs } from '@/parts/KeyValues'
import { told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Problems } from './Problems'
import { changeDecoder, copyDecoder, decoderKindsQuery, decoderQuery, removeDecoder } from './queries'
import { ReDecode } from './ReDecode'
import { TestCases } from './TestCases'
import { Trial } from './Trial'
import { Versions } from './Versions'
import { languageOf, useKindName } from './words'

type Tagged = DecoderInFull & { etag: string | null }

/** One decoder: its script beside a trial, its cases, versions and problems. */
export function DecoderPage() {
  const { t } = useTranslation()
  const { id = '' } = useParams({ strict: false })
  const { can } = useSession()
  const [address, setAddress] = useAddress()
  const kindName = useKindName()
  const found = useQuery(decoderQuery(id))
  const kinds = useQuery(decoderKindsQuery).data ?? []
  const decoder = found.data
  if (found.error && !decoder) return <Failure of={found.error} retry={() => void found.refetch()} />
  const may = can('decoders:manage', decoder?.organizationId)
  const scripted = kinds.find((kind) => kind.name === decoder?.kind)?.needsScript ?? true
  const tab = address.tab ?? 'script'
  return (
    <Page
      title={decoder?.name ?? '…'}
      crumbs={[{ label: t('places.decoders'), to: '/decoders' }]}
      beside={
        decoder && (
          <Group gap="md">
            <Text c="dimmed">{kindName(decoder.kind)}</Text>
            <Anchor component={Link} to={`/devices?decoderId=${id}`}>
              {t('map.devices', { count: decoder.deviceCount })}
            </Anchor>
            {decoder.failures > 0 && (
              <Status tone="bad">{t('decoders.failures', { count: decoder.failures })}</Status>
            )}
          </Group>
        )
      }
      lead={decoder?.description}
      calls={[
        { path: `/api/v1/decoders/${id}` },
        {
          method: 'POST',
          path: '/api/v1/decoders/try',
          body: { decoderId: id, messages: [{ payload: '00d5', encoding: 'hex', port: 1 }] },
        },
      ]}
      action={decoder && may && <More decoder={decoder} />}
    >
      {!decoder ? (
        <Skeleton height={420} />
      ) : (
        <Tabs value={tab} onChange={(next) => setAddress({ tab: next ?? undefined })}>
          <Tabs.List mb="md">
            <Tabs.Tab value="script">{scripted ? t('decoders.script') : t('decoders.trial')}</Tabs.Tab>
            <Tabs.Tab value="cases">{t('decoders.cases')}</Tabs.Tab>
            {scripted && <Tabs.Tab value="versions">{t('decoders.versions')}</Tabs.Tab>}
            <Tabs.Tab value="reDecode">{t('reDecode.title')}</Tabs.Tab>
            <Tabs.Tab value="problems">{t('decoders.problems')}</Tabs.Tab>
            <Tabs.Tab value="settings">{t('devices.settings')}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="script" keepMounted>
            {scripted ? (
              <ScriptEditor key={decoder.hash} decoder={decoder} readOnly={!may} />
            ) : (
              <Trial decoderId={id} kind={decoder.kind} />
            )}
          </Tabs.Panel>
          <Tabs.Panel value="cases">
            <TestCases decoder={decoder} readOnly={!may} />
          </Tabs.Panel>
          <Tabs.Panel value="versions">
            <Versions decoderId={id} kind={decoder.kind} may={may} />
          </Tabs.Panel>
          <Tabs.Panel value="reDecode">
            <ReDecode decoderId={id} organizationId={decoder.organizationId} may={may} />
          </Tabs.Panel>
          <Tabs.Panel value="problems">
            <Problems decoderId={id} />
          </Tabs.Panel>
          <Tabs.Panel value="settings">
            <Details key={decoder.updatedAt} decoder={decoder} readOnly={!may} />
          </Tabs.Panel>
        </Tabs>
      )}
    </Page>
  )
}

function ScriptEditor({ decoder, readOnly }: { decoder: Tagged; readOnly: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const kept = decoder.script ?? ''
  const [script, setScript] = useState(kept)
  const changed = script !== kept
  const save = useMutation({
    mutationFn: (force: boolean) => changeDecoder(decoder.id, decoder.etag, { script }, force),
    onSuccess: () => {
      told(t('decoders.saved'))
      void client.invalidateQueries({ queryKey: ['decoders'] })
    },
  })
  useBlocker({
    shouldBlockFn: () => changed && !window.confirm(t('forms.leave')),
    enableBeforeUnload: changed,
  })
  const casesFailed = save.error instanceof Problem && save.error.code === 'decoders.test_cases_failed'
  return (
    <Grid>
      <Grid.Col span={{ base: 12, lg: 7 }}>
        <Stack gap="sm">
          <Code
            label={t('decoders.script')}
            language={languageOf(decoder.kind)}
            value={script}
            onChange={readOnly ? undefined : setScript}
            height={520}
          />
          <FormFailure of={save.error} />
          {!readOnly && (
            <Group justify="space-between">
              <Text fz="sm" c="dimmed">
                {changed ? t('decoders.unsaved') : t('decoders.inForce', { version: decoder.version })}
              </Text>
              <Group gap="xs">
                {casesFailed && (
                  <Button variant="light" color="orange" onClick={() => save.mutate(true)}>
                    {t('decoders.saveAnyway')}
                  </Button>
                )}
                <Button
                  leftSection={<IconDeviceFloppy size={16} />}
                  disabled={!changed}
                  loading={save.isPending}
                  onClick={() => save.mutate(false)}
                >
                  {t('decoders.save')}
                </Button>
              </Group>
            </Group>
          )}
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 5 }}>
        <Trial decoderId={decoder.id} kind={decoder.kind} script={script} />
      </Grid.Col>
    </Grid>
  )
}

function Details({ decoder, readOnly }: { decoder: Tagged; readOnly: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const before = {
    name: decoder.name,
    description: decoder.description,
    shared: decoder.shared,
    units: toPairs(decoder.units),
  }
  const form = useForm({
    initialValues: before,
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
  const save = useMutation({
    mutationFn: (values: typeof before) => {
      const { units, ...others } = changes(before, values)
      const patch = units ? { ...others, units: mergePatch(decoder.units, fromPairs(units)) } : others
      return changeDecoder(decoder.id, decoder.etag, patch, false)
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['decoders'] })
    },
  })
  return (
    <Panel>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
        <fieldset disabled={readOnly} style={{ border: 0, padding: 0, margin: 0 }}>
          <Stack maw={560}>
            <TextInput label={t('fields.name')} withAsterisk {...form.getInputProps('name')} />
            <Textarea
              label={t('fields.description')}
              autosize
              minRows={2}
              {...form.getInputProps('description')}
            />
            <KeyValues
              label={t('fields.units')}
              value={form.values.units}
              onChange={(pairs) => form.setFieldValue('units', pairs)}
            />
            <Switch
              label={t('decoders.share')}
              description={t('decoders.shareHelp')}
              {...form.getInputProps('shared', { type: 'checkbox' })}
            />
            <FormFailure of={save.error} />
            {!readOnly && (
              <Group justify="flex-end">
                <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
                  {t('common.save')}
                </Button>
              </Group>
            )}
          </Stack>
        </fieldset>
      </form>
    </Panel>
  )
}

function More({ decoder }: { decoder: Tagged }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const go = useGo()
  const [open, setOpen] = useState<'copy' | 'remove' | null>(null)
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const [to, setTo] = useState<string | null>(decoder.organizationId)
  const [name, setName] = useState(t('decoders.copyName', { name: decoder.name }))
  const copy = useMutation({
    mutationFn: () => copyDecoder(decoder.id, to ?? '', name),
    onSuccess: (made) => {
      setOpen(null)
      void client.invalidateQueries({ queryKey: ['decoders'] })
      go(`/decoders/${made.id}`)
    },
  })
  return (
    <>
      <Menu position="bottom-end" shadow="md">
        <Menu.Target>
          <Button variant="default" px={9} aria-label={t('common.more')}>
            <IconDots size={17} />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setOpen('copy')}>{t('decoders.copy')}</Menu.Item>
          <Menu.Item c="red" onClick={() => setOpen('remove')}>
            {t('common.remove')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={open === 'copy'} onClose={() => setOpen(null)} title={t('decoders.copy')} centered>
        <Stack>
          <TextInput
            label={t('fields.name')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Select
            label={t('fields.organization')}
            allowDeselect={false}
            searchable
            data={organizations.map((o) => ({ value: o.id, label: o.name }))}
            value={to}
            onChange={setTo}
          />
          <FormFailure of={copy.error} />
          <Group justify="flex-end">
            <Button disabled={!to || !name.trim()} loading={copy.isPending} onClick={() => copy.mutate()}>
              {t('decoders.copy')}
            </Button>
          </Group>
        </Stack>
      </Modal>
      {open === 'remove' && (
        <Confirm
          title={t('decoders.remove')}
          action={t('common.remove')}
          name={decoder.name}
          act={() => removeDecoder(decoder.id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['decoders'] })
            go('/decoders')
          }}
        >
          {t('decoders.removeAsk', { count: decoder.deviceCount })}
        </Confirm>
      )}
    </>
  )
}
