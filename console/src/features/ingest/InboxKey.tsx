import { Alert, Button, Group, Modal, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { IconKey } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ShownInboxKey } from '@/api/types'
import { ApplicationChoice } from '@/features/groups/ApplicationChoice'
import { CodeBlock } from '@/parts/Copy'
import { FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { closeInbox, inboxKeyQuery, makeInboxKey } from './queries'

/** Make an application's inbox key, or take it back. */
export function InboxKey({ application = '', onClose }: { application?: string; onClose: () => void }) {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const [applicationId, setApplicationId] = useState(application)
  const known = useQuery(inboxKeyQuery(applicationId))
  const refresh = () => void client.invalidateQueries({ queryKey: inboxKeyQuery(applicationId).queryKey })
  const make = useMutation({ mutationFn: () => makeInboxKey(applicationId), onSuccess: refresh })
  const end = useMutation({ mutationFn: () => closeInbox(applicationId), onSuccess: refresh })
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('inbox.key')}
      size="lg"
      closeOnClickOutside={!make.data}
      closeOnEscape={!make.data}
      centered
    >
      {make.data ? (
        <Shown shown={make.data} onClose={onClose} />
      ) : (
        <Stack>
          <Text>{t('inbox.keyHelp')}</Text>
          <ApplicationChoice
            value={applicationId}
            onChange={(id) => {
              setApplicationId(id)
              end.reset()
            }}
            help={t('inbox.applicationHelp')}
          />
          {applicationId !== '' && known.isPending && <Skeleton height={20} />}
          {known.data && (
            <Text c="dimmed">
              {t('inbox.keyKnown', {
                hint: known.data.hint,
                at: format.instant(known.data.createdAt, false),
              })}
            </Text>
          )}
          <FormFailure of={known.error ?? make.error ?? end.error} />
          <Group justify="flex-end">
            {known.data && (
              <Button variant="default" color="red" onClick={() => end.mutate()} loading={end.isPending}>
                {t('inbox.takeBack')}
              </Button>
            )}
            <Button
              leftSection={<IconKey size={16} />}
              disabled={!applicationId || known.isPending}
              loading={make.isPending}
              onClick={() => make.mutate()}
            >
              {known.data ? t('inbox.makeAnother') : t('inbox.makeKey')}
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  )
}

function Shown({ shown, onClose }: { shown: ShownInboxKey; onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Stack>
      <Alert role="note" icon={<IconKey size={18} />} color="yellow" variant="light">
        {t('secret.once')}
      </Alert>
      <CodeBlock code={shown.secret} label={t('inbox.key')} />
      <Text>{t('inbox.howTo')}</Text>
      <Tabs defaultValue={shown.templates[0]?.id} variant="pills">
        <Tabs.List mb="sm">
          {shown.templates.map((one) => (
            <Tabs.Tab key={one.id} value={one.id}>
              {one.title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {shown.templates.map((one) => (
          <Tabs.Panel key={one.id} value={one.id}>
            <CodeBlock code={one.text} label={one.title} />
          </Tabs.Panel>
        ))}
      </Tabs>
      <Group justify="flex-end">
        <Button onClick={onClose}>{t('secret.kept')}</Button>
      </Group>
    </Stack>
  )
}
