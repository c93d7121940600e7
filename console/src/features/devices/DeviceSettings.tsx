import { Button, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { Confirm } from '@/parts/Confirm'
import { useFailureText } from '@/parts/Failure'
import { useGo } from '@/parts/go'
import { failed, told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Credentials } from './Credentials'
import { DeviceForm } from './DeviceForm'
import { MoveModal } from './MoveModal'
import { Owner } from './Owner'
import { Photo } from './Photo'
import { changeDevice, moveDevice, removeDevice } from './queries'
import { StateModal } from './StateModal'
import { Thresholds } from './Thresholds'
import { NEXT_STATES, type State } from './words'

type Tagged = Device & { etag: string | null }

/** What can be changed of a device. */
export function DeviceSettings({ device }: { device: Tagged }) {
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }}>
      <DeviceForm key={device.id} device={device} />
      <Stack>
        <Credentials deviceId={device.id} />
        <Photo device={device} />
        <Thresholds key={device.updatedAt} device={device} />
        <Owner key={device.ownerId} device={device} />
        <Life device={device} />
      </Stack>
    </SimpleGrid>
  )
}

function Life({ device }: { device: Tagged }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const go = useGo()
  const text = useFailureText()
  const [open, setOpen] = useState<'move' | 'remove' | null>(null)
  const [next, setNext] = useState<State | null>(null)
  const refresh = () => void client.invalidateQueries({ queryKey: ['devices'] })
  const move = useMutation({
    mutationFn: (applicationId: string) => moveDevice(device.id, applicationId),
    onSuccess: () => {
      told(t('devices.moved'))
      setOpen(null)
      void client.invalidateQueries()
    },
    onError: (failure) => failed(text(failure)),
  })
  return (
    <Panel title={t('devices.life')}>
      <Stack>
        <div>
          <Text fz="sm" c="dimmed" mb={6}>
            {t('devices.lifeHelp', { state: t(`deviceState.${device.state}`) })}
          </Text>
          <Group gap="xs">
            {NEXT_STATES[device.state]
              .filter((state) => state !== 'retired')
              .map((state) => (
                <Button key={state} size="compact-md" variant="default" onClick={() => setNext(state)}>
                  {t(`devices.become.${state}` as never)}
                </Button>
              ))}
            <Button size="compact-md" variant="default" onClick={() => setOpen('move')}>
              {t('devices.move')}
            </Button>
          </Group>
        </div>
        <Group gap="xs">
          {NEXT_STATES[device.state].includes('retired') && (
            <Button size="compact-md" color="red" variant="light" onClick={() => setNext('retired')}>
              {t('devices.become.retired')}
            </Button>
          )}
          <Button size="compact-md" color="red" variant="light" onClick={() => setOpen('remove')}>
            {t('devices.remove')}
          </Button>
        </Group>
      </Stack>
      {open === 'move' && (
        <MoveModal
          title={t('devices.move')}
          pending={move.isPending}
          onMove={(to) => move.mutate(to)}
          onClose={() => setOpen(null)}
        />
      )}
      {next && (
        <StateModal
          state={next}
          title={t('devices.becomeOne', { name: device.name, state: t(`deviceState.${next}`) })}
          act={(reason) => changeDevice(device.id, null, { state: next }, reason)}
          onClose={() => setNext(null)}
          onDone={() => {
            told(t('common.saved'))
            refresh()
          }}
        />
      )}
      {open === 'remove' && (
        <Confirm
          title={t('devices.remove')}
          action={t('devices.remove')}
          name={device.name}
          act={() => removeDevice(device.id)}
          onClose={() => setOpen(null)}
          onDone={() => {
            refresh()
            go('/devices')
          }}
        >
          {t('devices.removeAsk', { count: 1 })}
        </Confirm>
      )}
    </Panel>
  )
}
