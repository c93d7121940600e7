import { Alert, Button, Group, Loader, Modal, Skeleton, Stack, Text } from '@mantine/core'
import { IconShip } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Demo } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { countDevicesQuery } from '@/features/devices/queries'
import { Confirm } from '@/parts/Confirm'
import { CodeBlock } from '@/parts/Copy'
import { useFailureText } from '@/parts/Failure'
import { failed, told } from '@/parts/notify'
import { demoQuery, removeDemo, startDemo } from './demo'

/** Start the demo in one click; tell the command where this server cannot. */
export function StartDemo() {
  const { t } = useTranslation()
  const { can } = useSession()
  const [how, setHow] = useState(false)
  const may = can('installation:manage')
  const { organizationId } = useSession()
  const demo = useQuery({ ...demoQuery, enabled: may }).data
  // The overview asks for the same number, and takes the place of this page once it is not zero.
  const count = useQuery({
    ...countDevicesQuery({ organizationId }),
    enabled: demo?.playing === true,
    refetchInterval: 1_500,
  }).data
  if (demo?.organizationId && (count || !demo.playing)) return <RemoveDemo />
  if (demo?.organizationId) {
    return (
      <Group gap="sm">
        <Loader size="sm" type="dots" />
        <Text role="status">{t('demo.settingUp')}</Text>
      </Group>
    )
  }
  if (may && !demo) return <Skeleton height={36} width={140} />
  return (
    <>
      <StartButton
        label={t('demo.start')}
        disabled={!demo}
        cannot={demo?.canStart ? undefined : () => setHow(true)}
      />
      <Modal opened={how} onClose={() => setHow(false)} title={t('welcome.demo')} centered>
        <Stack>
          <Text>{t('welcome.demoHow')}</Text>
          <CodeBlock code="moorage demo" label={t('welcome.demo')} />
        </Stack>
      </Modal>
    </>
  )
}

interface StartProps {
  label: string
  disabled?: boolean
  /** What to do instead, where this server cannot start it. */
  cannot?: () => void
}

function StartButton({ label, disabled, cannot }: StartProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  const start = useMutation({
    mutationFn: startDemo,
    onSuccess: () => told(t('demo.started')),
    onError: (failure) => failed(text(failure)),
    onSettled: () => void client.invalidateQueries(),
  })
  return (
    <Button
      variant="default"
      disabled={disabled}
      loading={start.isPending}
      onClick={cannot ?? (() => start.mutate())}
    >
      {label}
    </Button>
  )
}

/** Ask, then remove the demo with everything in it. */
function RemoveDemo() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { organizationId, choose } = useSession()
  const demo = useQuery(demoQuery).data
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button variant="default" onClick={() => setAsking(true)}>
        {t('demo.remove')}
      </Button>
      {asking && (
        <Confirm
          title={t('demo.remove')}
          action={t('demo.remove')}
          act={removeDemo}
          onClose={() => setAsking(false)}
          onDone={() => {
            if (organizationId === demo?.organizationId) choose(undefined)
            void client.invalidateQueries()
            told(t('demo.removed'))
          }}
        >
          {t('demo.removeAsk')}
        </Confirm>
      )}
    </>
  )
}

/** Say that what is seen is the demo, and offer to be rid of it. */
export function DemoBanner({ demo }: { demo: Demo }) {
  const { t } = useTranslation()
  return (
    <Alert role="note" icon={<IconShip size={18} />} color="harbour" variant="light">
      <Group justify="space-between" gap="sm">
        <Text flex={1} miw={220}>
          {demo.playing ? t('demo.banner') : t('demo.still')}
        </Text>
        {!demo.playing && demo.canStart && <StartButton label={t('demo.again')} />}
        <RemoveDemo />
      </Group>
    </Alert>
  )
}
