import { Alert, Button, FileButton, Group, Image, Stack, Text } from '@mantine/core'
import { IconAlertTriangle, IconPhoto, IconTrash } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device } from '@/api/types'
import { useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { MOST_PHOTO, PHOTO_KINDS, photoFault } from './photo'
import { photoAddress, removePhoto, setPhoto } from './queries'

/** What a device looks like where it stands. */
export function Photo({ device }: { device: Device }) {
  const { t } = useTranslation()
  const format = useFormat()
  const text = useFailureText()
  const client = useQueryClient()
  const [fault, setFault] = useState<string | null>(null)
  const address = photoAddress(device)
  const change = useMutation({
    mutationFn: (file: File | null) => (file ? setPhoto(device.id, file) : removePhoto(device.id)),
    onError: (failure) => setFault(text(failure)),
    onSettled: () => client.invalidateQueries({ queryKey: ['devices', device.id] }),
  })
  const choose = (file: File | null) => {
    if (!file) return
    const wrong = photoFault(file)
    setFault(wrong && t(`photo.${wrong}`, { size: format.bytes(file.size), most: format.bytes(MOST_PHOTO) }))
    if (!wrong) change.mutate(file)
  }
  return (
    <Panel title={t('photo.title')}>
      <Stack gap="xs">
        {address ? (
          <Image
            src={address}
            alt={t('photo.alt', { name: device.name })}
            radius="sm"
            mah={320}
            fit="contain"
          />
        ) : (
          <Text c="dimmed">{t('photo.none')}</Text>
        )}
        {fault && (
          <Alert color="red" icon={<IconAlertTriangle size={18} />} role="alert">
            {fault}
          </Alert>
        )}
        <Group gap="xs">
          <FileButton accept={PHOTO_KINDS.join(',')} onChange={choose}>
            {(props) => (
              <Button
                {...props}
                size="compact-md"
                variant="default"
                leftSection={<IconPhoto size={15} />}
                loading={change.isPending}
              >
                {t(address ? 'photo.replace' : 'photo.choose')}
              </Button>
            )}
          </FileButton>
          {address && (
            <Button
              size="compact-md"
              variant="default"
              leftSection={<IconTrash size={15} />}
              disabled={change.isPending}
              onClick={() => {
                setFault(null)
                change.mutate(null)
              }}
            >
              {t('common.remove')}
            </Button>
          )}
        </Group>
      </Stack>
    </Panel>
  )
}
