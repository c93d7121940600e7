import {
  Alert,
  Anchor,
  Button,
  Group,
  SimpleGrid,
  Skeleton,
  Stack,
  Tabs,
  Text,
  TextInput,
  Title,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconKey, IconPlugConnected } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ShownCredential } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { deviceQuery, enrolDevice, issueCredential } from '@/features/devices/queries'
import { ApplicationChoice } from '@/features/groups/ApplicationChoice'
import { useAddress } from '@/parts/address'
import { CodeBlock } from '@/parts/Copy'
import { Failure, FormFailure } from '@/parts/Failure'
import { showProblems } from '@/parts/form'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { Waiting } from './Waiting'

/** The topics of a device, as the API names them. */
const TOPICS = ['up', 'upChannel', 'operations', 'result', 'absoluteUp'] as const

interface Started {
  deviceId: string
  name: string
  shown: ShownCredential
}

/** From nothing to the first message: a device, its credential, ready commands, the wait. */
export function Connect() {
  const { t } = useTranslation()
  const { can } = useSession()
  const [address] = useAddress()
  const [started, setStarted] = useState<Started | null>(null)
  return (
    <Page
      title={started ? t('connect.waitTitle', { name: started.name }) : t('places.connect')}
      lead={started ? t('connect.waitLead') : t('connect.lead')}
      calls={[
        { method: 'POST', path: '/api/v1/devices', body: { applicationId: '…', name: 'my-first-device' } },
        {
          method: 'POST',
          path: `/api/v1/devices/${started?.deviceId ?? '…'}/credentials`,
          body: { kind: 'key' },
        },
      ]}
    >
      {!can('devices:manage') ? (
        <Text c="dimmed">{t('connect.noRight')}</Text>
      ) : started ? (
        <Ready started={started} again={() => setStarted(null)} />
      ) : address.device ? (
        <Known deviceId={address.device} onStarted={setStarted} />
      ) : (
        <Start application={address.application} onStarted={setStarted} />
      )}
    </Page>
  )
}

function Start({ application, onStarted }: { application?: string; onStarted: (started: Started) => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const form = useForm({
    initialValues: { name: '', applicationId: application ?? '' },
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      applicationId: (v) => (v ? null : t('connect.chooseApplication')),
    },
  })
  const start = useMutation({
    mutationFn: async (values: typeof form.values) => {
      const device = await enrolDevice(values)
      const shown = await issueCredential(device.id, { kind: 'key', label: t('connect.firstKey') })
      return { deviceId: device.id, name: device.name, shown }
    },
    onError: (failure) => showProblems(form, failure),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ['devices'] })
      onStarted(made)
    },
  })
  return (
    <Panel>
      <form onSubmit={form.onSubmit((values) => start.mutate(values))} noValidate>
        <Stack maw={560}>
          <TextInput
            label={t('connect.deviceName')}
            description={t('connect.deviceNameHelp')}
            data-autofocus
            withAsterisk
            {...form.getInputProps('name')}
          />
          <ApplicationChoice
            value={form.values.applicationId}
            onChange={(id) => form.setFieldValue('applicationId', id)}
            error={form.errors.applicationId as string | undefined}
          />
          <FormFailure of={start.error} />
          <Group justify="space-between">
            <Text fz="sm" c="dimmed" flex={1} miw={200}>
              {t('connect.many')}{' '}
              <Anchor component={Link} to="/import" fz="sm" underline="always">
                {t('import.title')}
              </Anchor>
              {'. '}
              {t('connect.strangers')}{' '}
              <Anchor
                component={Link}
                to="/inbox"
                search={{ key: 'true' } as never}
                fz="sm"
                underline="always"
              >
                {t('inbox.key')}
              </Anchor>
            </Text>
            <Button type="submit" leftSection={<IconPlugConnected size={16} />} loading={start.isPending}>
              {t('connect.start')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  )
}

function Known({ deviceId, onStarted }: { deviceId: string; onStarted: (started: Started) => void }) {
  const { t } = useTranslation()
  const device = useQuery(deviceQuery(deviceId))
  const issue = useMutation({
    mutationFn: () => issueCredential(deviceId, { kind: 'key', label: t('connect.anotherKey') }),
    onSuccess: (shown) => onStarted({ deviceId, name: device.data?.name ?? '', shown }),
  })
  if (device.error) return <Failure of={device.error} />
  if (!device.data) return <Skeleton height={160} />
  return (
    <Panel>
      <Stack maw={560}>
        <Title order={2}>{device.data.name}</Title>
        <Text>{t('connect.knownHelp')}</Text>
        <FormFailure of={issue.error} />
        <Group>
          <Button
            leftSection={<IconKey size={16} />}
            onClick={() => issue.mutate()}
            loading={issue.isPending}
          >
            {t('connect.newKey')}
          </Button>
          <Button component={Link} to={`/devices/${deviceId}`} variant="default">
            {t('common.cancel')}
          </Button>
        </Group>
      </Stack>
    </Panel>
  )
}

function Ready({ started, again }: { started: Started; again: () => void }) {
  const { t } = useTranslation()
  const { templates, ...how } = started.shown.connect
  const [tool, setTool] = useState<string | null>(templates[0]?.id ?? null)
  const facts: [string, string | undefined][] = [
    ['HTTP', how.httpUrl],
    ['MQTT', `${how.host}:${how.mqttPort}`],
    ['MQTT TLS', `${how.host}:${how.mqttTlsPort}`],
    [t('fields.userName'), how.userName],
    [t('connect.secret'), started.shown.secret],
    ...TOPICS.map((topic): [string, string | undefined] => [t(`connect.topics.${topic}`), how.topics[topic]]),
  ]
  const widest = Math.max(...facts.map(([name]) => name.length))
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }}>
      <Stack miw={0}>
        <Panel title={t('connect.tryNow')}>
          <Stack>
            <Alert role="note" icon={<IconKey size={18} />} color="yellow" variant="light">
              {t('connect.secretOnce')}
            </Alert>
            <Tabs value={tool} onChange={setTool} variant="pills">
              <Tabs.List mb="sm">
                {templates.map((template) => (
                  <Tabs.Tab key={template.id} value={template.id}>
                    {template.title}
                  </Tabs.Tab>
                ))}
              </Tabs.List>
              {templates.map((template) => (
                <Tabs.Panel key={template.id} value={template.id}>
                  <CodeBlock code={template.text} label={template.title} />
                </Tabs.Panel>
              ))}
            </Tabs>
          </Stack>
        </Panel>
        <Panel title={t('connect.byHand')}>
          <Stack gap="xs">
            <Text fz="sm" c="dimmed">
              {t('connect.byHandHelp')}
            </Text>
            <CodeBlock
              code={facts.map(([name, value]) => `${name.padEnd(widest)} ${value}`).join('\n')}
              label={t('connect.byHand')}
            />
          </Stack>
        </Panel>
      </Stack>
      <Waiting deviceId={started.deviceId} again={again} />
    </SimpleGrid>
  )
}
