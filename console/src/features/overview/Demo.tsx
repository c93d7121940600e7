import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core'
import { IconShip } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
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
  const demo = useQuery({ ...demoQuery, enabled: may }).data
  if (may && demo?.organizationId) return <RemoveDemo />
  return (
    <>
      <StartButton
        label={t('demo.start')}
        cannot={demo?.canStart === false ? () => setHow(true) : undefined}
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

function StartButton({ label, cannot }: { label: string; cannot?: () => void }) {
  const { t } = useTranslation()
  const { can } = useSession()
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
      disabled={!can('installation:manage')}
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

/** Say on the overview that what is seen is the demo, and offer to be rid of it. */
export function DemoBanner() {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const demo = useQuery({ ...demoQuery, enabled: can('installation:manage') }).data
  if (!demo?.organizationId || (organizationId && organizationId !== demo.organizationId)) return null
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
