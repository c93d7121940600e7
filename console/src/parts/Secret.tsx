import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core'
import { IconKey } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { CodeBlock } from './Copy'

interface Props {
  title: string
  secret: string
  onClose: () => void
  children?: ReactNode
}

/** Show a secret this one time. */
export function SecretModal({ title, secret, onClose, children }: Props) {
  const { t } = useTranslation()
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      closeOnClickOutside={false}
      closeOnEscape={false}
      size="lg"
      centered
    >
      <Stack>
        <Alert role="note" icon={<IconKey size={18} />} color="yellow" variant="light">
          {t('secret.once')}
        </Alert>
        <CodeBlock code={secret} label={title} />
        {children && <Text fz="sm">{children}</Text>}
        <Group justify="flex-end">
          <Button onClick={onClose}>{t('secret.kept')}</Button>
        </Group>
      </Stack>
    </Modal>
  )
}
