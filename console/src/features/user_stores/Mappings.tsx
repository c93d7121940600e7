import { ActionIcon, Button, Group, MultiSelect, Paper, Stack, Text, TextInput } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

export interface Mapped {
  group: string
  permissionGroupIds: string[]
}

interface Props {
  /** What a group of people outside is called, how one looks, and what being in it means. */
  label: string
  placeholder: string
  help: string
  value: Mapped[]
  groups: { id: string; name: string }[]
  errors: Record<string, ReactNode>
  onChange: (next: Mapped[]) => void
}

/** Choose what people who are in groups outside are put into here. */
export function Mappings({ label, placeholder, help, value, groups, errors, onChange }: Props) {
  const { t } = useTranslation()
  const put = (at: number, one: Mapped) => onChange(value.map((was, n) => (n === at ? one : was)))
  return (
    <Stack gap="xs">
      <Text fz="sm" c="dimmed">
        {help}
      </Text>
      {value.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name while they are typed.
        <Paper key={at} withBorder p="sm">
          <Group align="flex-start" wrap="nowrap">
            <Stack gap="xs" flex={1}>
              <TextInput
                label={label}
                placeholder={placeholder}
                value={one.group}
                onChange={(event) => put(at, { ...one, group: event.currentTarget.value })}
                error={errors[`mappings.${at}.group`]}
              />
              <MultiSelect
                label={t('places.permissions')}
                searchable
                data={groups.map((group) => ({ value: group.id, label: group.name }))}
                value={one.permissionGroupIds}
                onChange={(ids) => put(at, { ...one, permissionGroupIds: ids })}
                error={errors[`mappings.${at}.permissionGroupIds`]}
              />
            </Stack>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('common.remove')}
              onClick={() => onChange(value.filter((_, n) => n !== at))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        </Paper>
      ))}
      <Button
        variant="default"
        leftSection={<IconPlus size={16} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() => onChange([...value, { group: '', permissionGroupIds: [] }])}
      >
        {t('userStores.addMapping')}
      </Button>
    </Stack>
  )
}
