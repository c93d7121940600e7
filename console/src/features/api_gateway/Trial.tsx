import { Button, Group, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asCurl } from '@/api/curl'
import { type Tried, tryOut } from '@/api/trial'
import { CodeBlock } from '@/parts/Copy'
import { FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Status } from '@/parts/Status'
import { type Call, filled } from './document'
import { Prose } from './Prose'

/** What a call takes, to be filled in and sent; and what came back. */
export function Trial({ call }: { call: Call }) {
  const { t } = useTranslation()
  const [typed, setTyped] = useState<Record<string, string>>({})
  const [body, setBody] = useState(call.sample ?? '')
  const send = useMutation({ mutationFn: () => tryOut(asked()) })
  const takesJson = call.takes === 'application/json'
  const unread = takesJson && body ? whyUnread(body) : null
  const asked = () => ({
    method: call.method,
    path: filled(call.path, typed),
    query: Object.fromEntries(
      call.asked.filter((one) => one.in === 'query').map((one) => [one.name, typed[one.name]]),
    ),
    ...(takesJson && body && !unread && { body: JSON.parse(body) as unknown }),
  })
  const missing = call.asked.some((one) => one.required && !typed[one.name])
  return (
    <form
      aria-label={call.id}
      onSubmit={(event) => {
        event.preventDefault()
        send.mutate()
      }}
    >
      <Stack>
        <Prose>{call.text}</Prose>
        {call.asked.length > 0 && (
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
            {call.asked.map((one) => (
              <TextInput
                key={`${one.in}:${one.name}`}
                label={one.name}
                description={one.description}
                withAsterisk={one.required}
                value={typed[one.name] ?? ''}
                onChange={(event) => setTyped({ ...typed, [one.name]: event.currentTarget.value })}
              />
            ))}
          </SimpleGrid>
        )}
        {takesJson && (
          <Textarea
            label={t('apis.body')}
            autosize
            minRows={3}
            maxRows={18}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
            value={body}
            error={unread && t('apis.unread', { why: unread })}
            onChange={(event) => setBody(event.currentTarget.value)}
          />
        )}
        <CodeBlock code={asCurl(asked(), window.location.origin)} label={t('apis.curl')} />
        {(!call.takes || takesJson) && (
          <Group>
            <Button
              type="submit"
              variant={call.method === 'GET' ? 'filled' : 'outline'}
              loading={send.isPending}
              disabled={missing || unread !== null}
            >
              {t('apis.send')}
            </Button>
            <Text fz="sm" c="dimmed">
              {t(call.method === 'GET' ? 'apis.trialReads' : 'apis.trialChanges')}
            </Text>
          </Group>
        )}
        <FormFailure of={send.error} />
        {send.data && <Answered tried={send.data} />}
      </Stack>
    </form>
  )
}

function Answered({ tried }: { tried: Tried }) {
  const { t } = useTranslation()
  const format = useFormat()
  return (
    <section aria-label={t('apis.answer')}>
      <Group mb={6}>
        <Status tone={tried.status < 300 ? 'good' : 'bad'}>{String(tried.status)}</Status>
        <Text fz="sm" c="dimmed">
          {t('apis.bytes', { size: format.bytes(tried.bytes), ms: format.number(tried.ms) })}
        </Text>
      </Group>
      <CodeBlock
        code={/json/.test(tried.type) && !tried.cut ? pretty(tried.text) : tried.text || t('apis.noBody')}
        label={t('apis.answer')}
      />
      {tried.cut && (
        <Text fz="sm" c="dimmed" mt={4}>
          {t('apis.cut')}
        </Text>
      )}
    </section>
  )
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

function whyUnread(text: string): string | null {
  try {
    JSON.parse(text)
    return null
  } catch (wrong) {
    return (wrong as Error).message
  }
}
