import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from './Failure'

interface Props {
  title: string
  /** What will happen, to how many. */
  children: string
  action: string
  /** The name to type before the action is offered. */
  name?: string
  act: () => Promise<unknown>
  onClose: () => void
  onDone?: () => void
}

/** Ask before something that cannot be undone. */
export function Confirm({ title, children, action, name, act, onClose, onDone }: Props) {
  const { t } = useTranslation()
  const [typed, setTyped] = useState('')
  const run = useMutation({
    mutationFn: act,
    onSuccess: () => {
      onClose()
      onDone?.()
    },
  })
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          run.mutate()
        }}
      >
        <Stack>
          <Text>{children}</Text>
          {name !== undefined && (
            <TextInput
              data-autofocus
              autoComplete="off"
              label={t('common.typeName', { name })}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
          <FormFailure of={run.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common.cancel')}
            </Button>
            <Button
              type="submit"
              color="red"
              loading={run.isPending}
              disabled={name !== undefined && typed.trim() !== name}
            >
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
