import { Select, Stack, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { findUsers, userQuery } from '@/features/users/queries'
import { FormFailure } from '@/parts/Failure'
import { told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { giveDevice } from './queries'

/** Whose own a device is; for who sees the people of its organization. */
export function Owner({ device }: { device: Device & { etag: string | null } }) {
  const { t } = useTranslation()
  const { can } = useSession()
  const client = useQueryClient()
  const sees = can('users:read', device.organizationId)
  const [text, setText] = useState('')
  const [asked] = useDebouncedValue(text, 200)
  const owner = useQuery({ ...userQuery(device.ownerId ?? ''), enabled: sees && !!device.ownerId }).data
  const words = owner && asked === owner.name ? '' : asked
  const found = useQuery({
    queryKey: ['users', 'owners', device.organizationId, words],
    queryFn: () => findUsers(words, device.organizationId),
    enabled: sees,
  })
  const give = useMutation({
    mutationFn: (userId: string | null) => giveDevice(device.id, device.etag, userId),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['devices'] })
      void client.invalidateQueries({ queryKey: ['access'] })
    },
  })
  if (!sees) return null
  const others = (found.data?.items ?? []).filter((one) => one.id !== owner?.id)
  return (
    <Panel title={t('owner.title')}>
      <Stack gap="xs">
        <Text fz="sm" c="dimmed">
          {t('owner.help')}
        </Text>
        <Select
          label={t('owner.person')}
          placeholder={t('owner.nobody')}
          searchable
          clearable
          disabled={give.isPending}
          value={device.ownerId}
          onChange={(id) => give.mutate(id)}
          searchValue={text}
          onSearchChange={setText}
          filter={({ options }) => options}
          nothingFoundMessage={t('palette.nothing')}
          data={[...(owner ? [owner] : []), ...others].map((one) => ({ value: one.id, label: one.name }))}
        />
        <FormFailure of={give.error} />
      </Stack>
    </Panel>
  )
}
