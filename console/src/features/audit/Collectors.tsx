import { Button, Group, MultiSelect, Stack, Switch, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconCloudUpload, IconPlus } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useMaking } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { FormModal } from '@/parts/FormModal'
import { changes, showProblems } from '@/parts/form'
import { Page } from '@/parts/Page'
import { Status, type Tone } from '@/parts/Status'
import { Time } from '@/parts/Time'
import {
  CONTENTS,
  type Collector,
  changeCollector,
  listCollectors,
  makeCollector,
  removeCollector,
} from './queries'

const stateOf = (one: Collector): 'paused' | 'failing' | 'idle' | 'takes' => {
  if (one.paused) return 'paused'
  if (one.failingSince) return 'failing'
  return one.takenAt ? 'takes' : 'idle'
}
const TONES: Record<string, Tone> = { paused: 'paused', failing: 'bad', idle: 'info', takes: 'good' }

/** Places outside to which the audit and the system log are sent. */
export function Collectors() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [making, setMaking] = useMaking()
  const [editing, setEditing] = useState<Collector | null>(null)
  const [removing, setRemoving] = useState<Collector | null>(null)
  const list = usePages(['log-collectors'], listCollectors, { refetchInterval: 10_000 })
  const refresh = () => void client.invalidateQueries({ queryKey: ['log-collectors'] })
  const make = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      {t('collectors.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.collectors')}
      lead={t('collectors.lead')}
      action={make}
      calls={[{ path: '/api/v1/log-collectors' }]}
    >
      <DataList
        name="collectors"
        label={t('places.collectors')}
        list={list}
        rowKey={(one) => one.id}
        columns={[
          { key: 'name', label: t('fields.name'), cell: (one) => one.name },
          {
            key: 'state',
            label: t('fields.state'),
            width: '28%',
            cell: (one) => (
              <Status tone={TONES[stateOf(one)] ?? 'info'}>
                {one.error && !one.paused ? one.error : t(`collectors.states.${stateOf(one)}`)}
              </Status>
            ),
          },
          { key: 'url', label: t('fields.url'), cell: (one) => one.url },
          {
            key: 'contents',
            label: t('collectors.contents'),
            cell: (one) => one.contents.map((what) => t(`collectors.what.${what}`)).join(', '),
          },
          {
            key: 'takenAt',
            label: t('collectors.takenAt'),
            width: '140px',
            cell: (one) => <Time at={one.takenAt} />,
          },
          {
            key: 'act',
            label: '',
            width: '190px',
            cell: (one) => (
              <Group gap={4} wrap="nowrap">
                <Button size="compact-sm" variant="subtle" onClick={() => setEditing(one)}>
                  {t('common.edit')}
                </Button>
                <Button size="compact-sm" variant="subtle" color="red" onClick={() => setRemoving(one)}>
                  {t('common.remove')}
                </Button>
              </Group>
            ),
          },
        ]}
        empty={
          <Empty icon={IconCloudUpload} title={t('collectors.emptyTitle')} action={make}>
            {t('collectors.empty')}
          </Empty>
        }
      />
      {(making || editing) && (
        <CollectorForm
          of={editing}
          onClose={() => {
            setMaking(false)
            setEditing(null)
          }}
          onDone={refresh}
        />
      )}
      {removing && (
        <Confirm
          title={t('collectors.remove')}
          action={t('common.remove')}
          act={() => removeCollector(removing.id)}
          onClose={() => setRemoving(null)}
          onDone={refresh}
        >
          {t('collectors.removeAsk', { name: removing.name })}
        </Confirm>
      )}
    </Page>
  )
}

interface FormProps {
  of: Collector | null
  onClose: () => void
  onDone: () => void
}

function CollectorForm({ of: one, onClose, onDone }: FormProps) {
  const { t } = useTranslation()
  const before = {
    name: one?.name ?? '',
    url: one?.url ?? 'syslog+tls://',
    contents: one?.contents ?? [...CONTENTS],
    fromStart: false,
    authority: one?.authority ?? '',
    token: '',
    paused: one?.paused ?? false,
  }
  const form = useForm({
    initialValues: before,
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      contents: (v) => (v.length ? null : t('forms.choose')),
    },
  })
  const save = useMutation({
    mutationFn: async (values: typeof before) => {
      const url = values.url.trim()
      if (one) {
        const { fromStart: _, token, authority, ...rest } = changes(before, { ...values, url })
        const more = {
          ...(authority !== undefined && { authority: authority || null }),
          ...(token && { token }),
        }
        return changeCollector(one.id, { ...rest, ...more })
      }
      const { paused: _, ...rest } = values
      const { authority, token } = values
      return makeCollector({ ...rest, url, authority: authority || null, token: token || null })
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      onDone()
      onClose()
    },
  })
  return (
    <FormModal
      title={one ? t('collectors.edit') : t('collectors.new')}
      action={one ? t('common.save') : t('common.create')}
      size="md"
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} data-autofocus withAsterisk {...form.getInputProps('name')} />
        <TextInput
          label={t('fields.url')}
          description={t('collectors.urlHelp')}
          withAsterisk
          {...form.getInputProps('url')}
        />
        <MultiSelect
          label={t('collectors.contents')}
          withAsterisk
          data={CONTENTS.map((what) => ({ value: what, label: t(`collectors.what.${what}`) }))}
          {...form.getInputProps('contents')}
        />
        <Textarea
          label={t('collectors.authority')}
          description={t('collectors.authorityHelp')}
          autosize
          minRows={2}
          maxRows={6}
          {...form.getInputProps('authority')}
        />
        {form.values.url.startsWith('http') && (
          <TextInput
            label={t('collectors.token')}
            description={one?.hasToken ? t('collectors.tokenKept') : t('collectors.tokenHelp')}
            type="password"
            autoComplete="off"
            {...form.getInputProps('token')}
          />
        )}
        {one ? (
          <Switch
            label={t('collectors.states.paused')}
            {...form.getInputProps('paused', { type: 'checkbox' })}
          />
        ) : (
          <Switch
            label={t('collectors.fromStart')}
            description={t('collectors.fromStartHelp')}
            {...form.getInputProps('fromStart', { type: 'checkbox' })}
          />
        )}
      </Stack>
    </FormModal>
  )
}
