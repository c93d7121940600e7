import { Button, Group, Modal, Stack } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from '@/parts/Failure'
import { Status } from '@/parts/Status'
import { RowOutcome, TaskProgress } from './Outcome'
import { cancelTask, isOpen, taskQuery } from './queries'
import { TONES } from './words'

interface Props {
  id: string
  title: string
  onClose: () => void
  /** It ended, and everything was done. */
  onDone?: () => void
  /** It was done to its end, whatever came of each row. */
  onEnded?: () => void
}

/** Follow a task to its end; whoever does not wait finds it among the tasks. */
export function TaskModal({ id, title, onClose, onDone, onEnded }: Props) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const found = useQuery(taskQuery(id))
  const task = found.data
  const cancel = useMutation({ mutationFn: () => cancelTask(id), onSettled: () => void found.refetch() })
  const open = !task || isOpen(task)
  const ended = task?.state === 'completed'
  const clean = ended && !task.result?.failed
  useEffect(() => {
    if (open) return
    void client.invalidateQueries({ queryKey: ['devices'] })
    void client.invalidateQueries({ queryKey: ['applications'] })
    if (ended) onEnded?.()
    if (clean) onDone?.()
  }, [open, ended, clean, client, onDone, onEnded])
  return (
    <Modal opened onClose={onClose} title={title} centered size="lg">
      <Stack>
        {task && (
          <>
            <Status tone={TONES[task.state]}>{t(`taskState.${task.state}`)}</Status>
            <TaskProgress task={task} />
            {!open && <RowOutcome task={task} />}
          </>
        )}
        <FormFailure of={found.error ?? cancel.error} />
        <Group justify="flex-end">
          {open && (
            <Button variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()}>
              {t('common.cancel')}
            </Button>
          )}
          <Button variant={open ? 'default' : 'filled'} onClick={onClose}>
            {open ? t('tasks.leave') : t('common.close')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
