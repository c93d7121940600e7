import { ActionIcon, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

export type Pair = { key: string; value: string }

export const toPairs = (map: Record<string, string>): Pair[] =>
  Object.entries(map).map(([key, value]) => ({ key, value }))

export const fromPairs = (pairs: Pair[]): Record<string, string> =>
  Object.fromEntries(pairs.filter((p) => p.key.trim()).map((p) => [p.key.trim(), p.value]))

interface Props {
  label: string
  value: Pair[]
  onChange: (pairs: Pair[]) => void
}

/** Free words with their values. */
export function KeyValues({ label, value, onChange }: Props) {
  const { t } = useTranslation()
  const set = (at: number, pair: Partial<Pair>) =>
    onChange(value.map((p, i) => (i === at ? { ...p, ...pair } : p)))
  return (
    <Stack gap={6}>
      <Text fw={500} fz="sm">
        {label}
      </Text>
      {value.map((pair, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: pairs have no other identity while typed.
        <Group key={i} gap={6} wrap="nowrap">
          <TextInput
            flex={1}
            aria-label={t('common.key')}
            placeholder={t('common.key')}
            value={pair.key}
            onChange={(event) => set(i, { key: event.currentTarget.value })}
          />
          <TextInput
            flex={2}
            aria-label={t('common.value')}
            placeholder={t('common.value')}
            value={pair.value}
            onChange={(event) => set(i, { value: event.currentTarget.value })}
          />
          <ActionIcon
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
        onClick={() => onChange([...value, { key: '', value: '' }])}
      >
        {t('common.add')}
      </Button>
    </Stack>
  )
}
