import { Button, Group, Menu, Modal, Stack, TagsInput } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Device, Task } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { AskMany } from '@/features/operations/AskMany'
import { TaskModal } from '@/features/tasks/TaskModal'
import { Confirm } from '@/parts/Confirm'
import { FormFailure } from '@/parts/Failure'
import { told } from '@/parts/notify'
import { MoveModal } from './MoveModal'
import { type Chosen, changeDevices, type DeviceFilter, moveDevices, removeDevices } from './queries'
import { StateModal } from './StateModal'
import { STATES, type State } from './words'

type BulkAction = 'ask' | 'move' | 'tag' | 'remove'

interface BulkProps {
  selected: Device[]
  clear: () => void
  /** What finds all that is selected, where that is more than is shown. */
  filter: DeviceFilter | null
  count: number
}

/** The actions on many devices; each is one task. */
export function Bulk({ selected, clear, filter, count }: BulkProps) {
  const { t } = useTranslation()
  const { can } = useSession()
  const [open, setOpen] = useState<BulkAction | null>(null)
  const [next, setNext] = useState<State | null>(null)
  const [task, setTask] = useState<Task | null>(null)
  const which: Chosen = filter ? { filter } : { deviceIds: selected.map((d) => d.id) }
  const many = useMutation({
    mutationFn: (ask: () => Promise<Task>) => ask(),
    onSuccess: (asked) => {
      setOpen(null)
      setNext(null)
      setTask(asked)
    },
  })
  const done = useCallback(() => {
    told(t('devices.changed', { count }))
    setTask(null)
    clear()
  }, [t, count, clear])
  return (
    <Group gap="xs">
      {can('devices:operate') && !filter && (
        <Button size="compact-sm" variant="default" onClick={() => setOpen('ask')}>
          {t('devices.ask')}
        </Button>
      )}
      {can('devices:manage') && (
        <>
          <Menu position="top" shadow="md">
            <Menu.Target>
              <Button size="compact-sm" variant="default" rightSection={<IconChevronDown size={13} />}>
                {t('devices.setState')}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {STATES.map((state: State) => (
                <Menu.Item key={state} onClick={() => setNext(state)}>
                  {t(`deviceState.${state}`)}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
          <Button size="compact-sm" variant="default" onClick={() => setOpen('tag')}>
            {t('devices.setTags')}
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => setOpen('move')}>
            {t('common.move')}
          </Button>
          <Button size="compact-sm" variant="light" color="red" onClick={() => setOpen('remove')}>
            {t('common.remove')}
          </Button>
        </>
      )}
      {open === 'ask' && (
        <AskMany
          devices={selected}
          onClose={() => setOpen(null)}
          onSent={() => {
            setOpen(null)
            clear()
          }}
        />
      )}
      {next && (
        <StateModal
          state={next}
          title={t('devices.becomeMany', { count, state: t(`deviceState.${next}`) })}
          act={(reason) => many.mutateAsync(() => changeDevices(which, { changes: { state: next }, reason }))}
          onClose={() => setNext(null)}
        />
      )}
      {open === 'move' && (
        <MoveModal
          title={t('devices.moveMany', { count })}
          onClose={() => setOpen(null)}
          pending={many.isPending}
          failure={many.error}
          onMove={(application) => many.mutate(() => moveDevices(which, application))}
        />
      )}
      {open === 'tag' && (
        <TagModal
          onClose={() => setOpen(null)}
          pending={many.isPending}
          failure={many.error}
          onTag={(addTags, removeTags) => many.mutate(() => changeDevices(which, { addTags, removeTags }))}
        />
      )}
      {open === 'remove' && (
        <Confirm
          title={t('devices.removeMany', { count })}
          action={t('common.remove')}
          name={String(count)}
          act={() => many.mutateAsync(() => removeDevices(which))}
          onClose={() => setOpen(null)}
        >
          {t('devices.removeAsk', { count })}
        </Confirm>
      )}
      {task && (
        <TaskModal
          id={task.id}
          title={t(`taskKind.${task.kind}` as never)}
          onClose={() => {
            setTask(null)
            clear()
          }}
          onDone={done}
        />
      )}
    </Group>
  )
}

interface TagProps {
  pending: boolean
  failure: unknown
  onTag: (added: string[], removed: string[]) => void
  onClose: () => void
}

function TagModal({ pending, failure, onTag, onClose }: TagProps) {
  const { t } = useTranslation()
  const [added, setAdded] = useState<string[]>([])
  const [removed, setRemoved] = useState<string[]>([])
  return (
    <Modal opened onClose={onClose} title={t('devices.setTags')} centered>
      <Stack>
        <TagsInput label={t('devices.addTags')} data-autofocus value={added} onChange={setAdded} />
        <TagsInput label={t('devices.removeTags')} value={removed} onChange={setRemoved} />
        <FormFailure of={failure} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button
            disabled={added.length + removed.length === 0}
            loading={pending}
            onClick={() => onTag(added, removed)}
          >
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
