import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core'
import { IconKey } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { BrokerPiece, ShownBroker } from '@/api/types'
import { CodeBlock } from '@/parts/Copy'

/** The parts of a broker's configuration, to paste. */
export function Pieces({ pieces }: { pieces: BrokerPiece[] }) {
  return (
    <Stack>
      {pieces.map((one) => (
        <Stack key={one.name} gap={4}>
          <Text fz="sm" ff="monospace">
            {one.name}
          </Text>
          <CodeBlock code={one.text} label={one.name} />
        </Stack>
      ))}
    </Stack>
  )
}

/** Show a broker's token, and its configuration with it, this one time. */
export function Shown({ shown, onClose }: { shown: ShownBroker; onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('brokers.token')}
      closeOnClickOutside={false}
      closeOnEscape={false}
      size="xl"
      centered
    >
      <Stack>
        <Alert role="note" icon={<IconKey size={18} />} color="yellow" variant="light">
          {t('secret.once')}
        </Alert>
        <CodeBlock code={shown.token} label={t('brokers.token')} />
        <Pieces pieces={shown.pieces} />
        <Group justify="flex-end">
          <Button onClick={onClose}>{t('secret.kept')}</Button>
        </Group>
      </Stack>
    </Modal>
  )
}
