import {
  Button,
  Group,
  NumberInput,
  Select,
  SimpleGrid,
  Stack,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device, DevicePatch } from '@/api/types'
import { DecoderChoice } from '@/features/decoders/DecoderChoice'
import { FormFailure } from '@/parts/Failure'
import { changes, mergePatch, showProblems } from '@/parts/form'
import { fromPairs, KeyValues, toPairs } from '@/parts/KeyValues'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { GatewayChoice } from './GatewayChoice'
import { Identifiers } from './Identifiers'
import { changeDevice } from './queries'
import { KINDS, OWNERSHIPS } from './words'

type Tagged = Device & { etag: string | null }

/** What a device is called, what it is, where it stands. */
export function DeviceForm({ device }: { device: Tagged }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const before = {
    name: device.name,
    kind: device.kind,
    manufacturer: device.manufacturer,
    model: device.model,
    serial: device.serial ?? '',
    place: device.place,
    comment: device.comment,
    tags: device.tags,
    owner: device.owner,
    ownership: device.ownership,
    decoderId: device.decoderId,
    longitude: (device.location?.coordinates[0] ?? '') as number | '',
    latitude: (device.location?.coordinates[1] ?? '') as number | '',
    altitude: (device.location?.coordinates[2] ?? '') as number | '',
    gatewayId: device.gatewayId,
    identifiers: device.identifiers,
    metadata: toPairs(device.metadata),
  }
  const form = useForm({
    initialValues: before,
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      latitude: (v, all) => ((v === '') !== (all.longitude === '') ? t('forms.bothCoordinates') : null),
      altitude: (v, all) => (v !== '' && all.latitude === '' ? t('forms.bothCoordinates') : null),
    },
    validateInputOnBlur: true,
  })
  const save = useMutation({
    mutationFn: (values: typeof before) => {
      const { longitude, latitude, altitude, serial, metadata, ...rest } = changes(before, values)
      const moved = [longitude, latitude, altitude].some((one) => one !== undefined)
      return changeDevice(device.id, device.etag, {
        ...rest,
        ...(serial !== undefined && { serial: serial || null }),
        ...(metadata && { metadata: mergePatch(device.metadata, fromPairs(metadata)) }),
        ...(moved && {
          location:
            values.longitude === '' || values.latitude === ''
              ? null
              : { type: 'Point', coordinates: pointOf(values) },
        }),
      } as DevicePatch)
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: (_, values) => {
      told(t('common.saved'))
      form.resetDirty(values)
      void client.invalidateQueries({ queryKey: ['devices'] })
    },
  })
  return (
    <Panel title={t('devices.details')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
        <Stack>
          <TextInput label={t('fields.name')} withAsterisk {...form.getInputProps('name')} />
          <SimpleGrid cols={{ base: 1, xs: 2 }}>
            <Select
              label={t('fields.kind')}
              allowDeselect={false}
              data={KINDS.map((kind) => ({ value: kind, label: t(`deviceKind.${kind}`) }))}
              {...form.getInputProps('kind')}
            />
            <DecoderChoice
              organizationId={device.organizationId}
              value={form.values.decoderId}
              onChange={(id) => form.setFieldValue('decoderId', id)}
            />
            <TextInput label={t('fields.manufacturer')} {...form.getInputProps('manufacturer')} />
            <TextInput label={t('fields.model')} {...form.getInputProps('model')} />
            <TextInput label={t('fields.serial')} {...form.getInputProps('serial')} />
            <TextInput label={t('fields.place')} {...form.getInputProps('place')} />
            <NumberInput
              label={t('fields.latitude')}
              min={-90}
              max={90}
              decimalScale={7}
              {...form.getInputProps('latitude')}
            />
            <NumberInput
              label={t('fields.longitude')}
              min={-180}
              max={180}
              decimalScale={7}
              {...form.getInputProps('longitude')}
            />
            <NumberInput label={t('fields.altitude')} decimalScale={3} {...form.getInputProps('altitude')} />
            <GatewayChoice
              device={device}
              value={form.values.gatewayId}
              onChange={(id) => form.setFieldValue('gatewayId', id)}
            />
            <TextInput label={t('fields.owner')} {...form.getInputProps('owner')} />
            <Select
              label={t('fields.ownership')}
              clearable
              data={OWNERSHIPS.map((one) => ({ value: one, label: t(`ownership.${one}`) }))}
              {...form.getInputProps('ownership')}
            />
          </SimpleGrid>
          <TagsInput label={t('fields.tags')} {...form.getInputProps('tags')} />
          <Identifiers
            value={form.values.identifiers}
            onChange={(identifiers) => form.setFieldValue('identifiers', identifiers)}
            errors={(at) => wrongIdentifier(form.errors, at)}
          />
          <KeyValues
            label={t('fields.metadata')}
            value={form.values.metadata}
            onChange={(pairs) => form.setFieldValue('metadata', pairs)}
          />
          <Textarea label={t('fields.comment')} autosize minRows={2} {...form.getInputProps('comment')} />
          <FormFailure of={save.error} />
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
              {t('common.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  )
}

/** Give the coordinates of a form, the altitude only where there is one. */
function pointOf({ longitude, latitude, altitude }: Record<'longitude' | 'latitude' | 'altitude', unknown>) {
  return [longitude, latitude, ...(altitude === '' ? [] : [altitude])]
}

function wrongIdentifier(errors: Record<string, ReactNode>, at: number): ReactNode {
  const found = Object.entries(errors).find(
    ([path]) => path === `identifiers.${at}` || path.startsWith(`identifiers.${at}.`),
  )
  return found?.[1]
}
