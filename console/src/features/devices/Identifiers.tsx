import { ActionIcon, Autocomplete, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'

type Identifier = Device['identifiers'][number]

const USUAL = ['devEui', 'imei', 'mac', 'iccid', 'eui64', 'uuid']

interface Props {
  value: Identifier[]
  onChange: (identifiers: Identifier[]) => void
  errors?: (at: number) => ReactNode
}

/** What networks and labels call a device; the network tells two of one kind apart. */
export function Identifiers({ value, onChange, errors }: Props) {
  const { t } = useTranslation()
  const set = (at: number, change: Partial<Identifier>) =>
    onChange(value.map((one, i) => (i === at ? { ...one, ...change } : one)))
  return (
    <Stack gap={6}>
      <Text fw={500} fz="sm">
        {t('devices.identifiers')}
      </Text>
      {value.map((one, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: identifiers have no other identity while typed.
        <Group key={i} gap={6} wrap="nowrap" align="flex-start">
          <Autocomplete
            flex={2}
            aria-label={t('fields.kind')}
            placeholder={t('fields.kind')}
            data={USUAL}
            value={one.kind}
            error={errors?.(i)}
            onChange={(kind) => set(i, { kind })}
          />
          <TextInput
            flex={3}
            aria-label={t('common.value')}
            placeholder={t('common.value')}
            value={one.value}
            onChange={(event) => set(i, { value: event.currentTarget.value })}
          />
          <TextInput
            flex={2}
            aria-label={t('devices.network')}
            placeholder={t('devices.network')}
            value={one.network}
            onChange={(event) => set(i, { network: event.currentTarget.value })}
          />
          <ActionIcon
            mt={4}
            aria-label={t('common.remove')}
            onClick={() => onChange(value.filter((_, j) => j !== i))}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Button
        variant="subtle"
        size="compact-sm"
        leftSection={<IconPlus size={14} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => onChange([...value, { kind: '', value: '', network: '' }])}
      >
        {t('common.add')}
      </Button>
    </Stack>
  )
}
