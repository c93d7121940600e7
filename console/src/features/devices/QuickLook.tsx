import { Button, Group, Stack, Text } from '@mantine/core'
import { IconArrowRight } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { LatestValues } from '@/features/telemetry/LatestValues'
import { latestQuery } from '@/features/telemetry/queries'
import { Facts } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { CONNECTIVITY_TONE, STATE_TONE } from './words'

/** A device at a glance, beside the list. */
export function QuickLook({ device, application, at }: { device: Device; application: string; at?: string }) {
  const { t } = useTranslation()
  const state = useQuery({ ...latestQuery(device.id, at), refetchInterval: at ? false : 5_000 })
  return (
    <Stack>
      <Group gap="lg">
        <Status tone={CONNECTIVITY_TONE[device.connectivity]}>
          {t(`connectivity.${device.connectivity}`)}
        </Status>
        <Status tone={STATE_TONE[device.state]}>{t(`deviceState.${device.state}`)}</Status>
      </Group>
      {state.data && state.data.latest.length > 0 ? (
        <LatestValues latest={state.data.latest} exact={!!at} />
      ) : (
        <Text c="dimmed">{t('devices.noValues')}</Text>
      )}
      <Facts
        rows={[
          [t('fields.application'), application],
          [t('fields.lastSeenAt'), <Time key="seen" at={device.lastSeenAt} />],
          [t('fields.model'), [device.manufacturer, device.model].filter(Boolean).join(' ') || null],
          [t('fields.serial'), device.serial],
          [t('fields.place'), device.place || null],
        ]}
      />
      <Button
        component={Link}
        to={`/devices/${device.id}`}
        search={(at ? { at } : {}) as never}
        rightSection={<IconArrowRight size={16} />}
        fullWidth
      >
        {t('devices.open')}
      </Button>
    </Stack>
  )
}
