import { ActionIcon, Button, Group, Paper, Select, Stack, Text, TextInput } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

/** A subscription as it is typed: `way` says where the device is named if the topic does not. */
export interface Typed {
  topic: string
  qos: number
  way: 'pointer' | 'device'
  device: string
}

export const A_SUBSCRIPTION: Typed = { topic: '', qos: 1, way: 'pointer', device: '' }

interface Props {
  value: Typed[]
  onChange: (value: Typed[]) => void
  errors: Record<string, unknown>
}

/** What is subscribed to, and how it says which device a message is of. */
export function Subscriptions({ value, onChange, errors }: Props) {
  const { t } = useTranslation()
  const set = (at: number, change: Partial<Typed>) =>
    onChange(value.map((one, i) => (i === at ? { ...one, ...change } : one)))
  const error = (at: number, name: string) => errors[`subscriptions.${at}.${name}`] as string | undefined
  return (
    <Stack gap="xs">
      <Text fz="sm" c="dimmed">
        {t('sources.placesHelp')}
      </Text>
      {value.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they have no other identity while typed.
        <Paper key={at} withBorder p="sm">
          <Group gap="xs" align="flex-start" wrap="nowrap">
            <TextInput
              flex={1}
              label={t('sources.topic')}
              placeholder="plant/{device}/+/up"
              styles={{ input: { fontFamily: 'monospace' } }}
              withAsterisk
              value={one.topic}
              onChange={(event) => set(at, { topic: event.currentTarget.value })}
              error={error(at, 'topic')}
            />
            <Select
              w={84}
              label={t('sources.qos')}
              allowDeselect={false}
              data={['0', '1', '2']}
              value={String(one.qos)}
              onChange={(qos) => set(at, { qos: Number(qos) })}
            />
            {value.length > 1 && (
              <ActionIcon
                mt={28}
                aria-label={t('sources.removeSubscription')}
                onClick={() => onChange(value.filter((_, i) => i !== at))}
              >
                <IconTrash size={16} />
              </ActionIcon>
            )}
          </Group>
          {one.topic && !one.topic.includes('{device}') && (
            <Group gap="xs" mt="xs" align="flex-start">
              <Select
                flex="1 1 200px"
                label={t('sources.whose')}
                allowDeselect={false}
                data={(['pointer', 'device'] as const).map((way) => ({
                  value: way,
                  label: t(`sources.way.${way}`),
                }))}
                value={one.way}
                onChange={(way) => set(at, { way: way as Typed['way'] })}
              />
              <TextInput
                flex="1 1 200px"
                label={t(`sources.wayValue.${one.way}`)}
                placeholder={one.way === 'pointer' ? '/deviceInfo/devEui' : undefined}
                value={one.device}
                onChange={(event) => set(at, { device: event.currentTarget.value })}
                error={error(at, one.way === 'pointer' ? 'devicePointer' : 'device')}
              />
            </Group>
          )}
        </Paper>
      ))}
      <Button
        variant="subtle"
        size="compact-sm"
        leftSection={<IconPlus size={14} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => onChange([...value, A_SUBSCRIPTION])}
      >
        {t('sources.addSubscription')}
      </Button>
    </Stack>
  )
}
