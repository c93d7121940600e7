import { Button, Group, Modal, Stack } from '@mantine/core'
import type { FormEvent, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from './Failure'

interface Props {
  title: string
  action: string
  onSubmit: (event?: FormEvent<HTMLFormElement>) => void
  onClose: () => void
  pending: boolean
  failure: unknown
  size?: string
  children: ReactNode
}

/** A form over the page; what was typed stays until it is kept or cancelled. */
export function FormModal({
  title,
  action,
  onSubmit,
  onClose,
  pending,
  failure,
  size = 'lg',
  children,
}: Props) {
  const { t } = useTranslation()
  return (
    <Modal opened onClose={onClose} title={title} size={size} closeOnClickOutside={false} centered>
      <form onSubmit={onSubmit} noValidate>
        <Stack>
          {children}
          <FormFailure of={failure} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common.cancel')}
            </Button>
            <Button type="submit" loading={pending}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
