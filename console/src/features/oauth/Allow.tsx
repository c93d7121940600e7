import { Alert, Button, Group, List, Loader, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconAlertTriangle, IconCheck, IconInfoCircle } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import { Trans, useTranslation } from 'react-i18next'
import type { Asked } from '@/api/types'
import { meQuery } from '@/features/auth/queries'
import { Failure, FormFailure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { LanguageChoice } from '@/parts/LanguageChoice'
import { Mark } from '@/shell/Mark'
import classes from './Allow.module.css'
import { answer, answerDevice, askForDevice, askQuery } from './queries'

/** A program sent the browser here to be allowed something. */
export function Allow() {
  const { t } = useTranslation()
  const [query] = useState(() => window.location.search.slice(1))
  const asked = useQuery(askQuery(query || '-'))
  const say = useMutation({
    mutationFn: (allow: boolean) => answer(query, allow),
    onSuccess: (led) => window.location.assign(led.redirectTo),
  })
  const elsewhere = asked.data?.redirectTo
  useEffect(() => {
    if (elsewhere) window.location.replace(elsewhere)
  }, [elsewhere])
  return (
    <Card title={t('programs.allow')}>
      {asked.error ? (
        <Failure of={asked.error} />
      ) : !asked.data || elsewhere ? (
        <Loader />
      ) : (
        <Question
          asked={asked.data}
          pending={say.isPending || say.isSuccess}
          failure={say.error}
          onSay={say.mutate}
        />
      )}
    </Card>
  )
}

/** A device without a browser shows a code, which a person types here. */
export function AllowDevice() {
  const { t } = useTranslation()
  const [code, setCode] = useState(() => new URLSearchParams(window.location.search).get('user_code') ?? '')
  const ask = useMutation({ mutationFn: askForDevice })
  const say = useMutation({ mutationFn: (allow: boolean) => answerDevice(code, allow) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    ask.mutate(code)
  }
  return (
    <Card title={t('programs.device')}>
      {say.isSuccess ? (
        <Alert icon={<IconCheck size={18} />} color={say.variables ? 'green' : 'gray'} role="status">
          {t(say.variables ? 'programs.deviceAllowed' : 'programs.deviceRefused')}
        </Alert>
      ) : ask.data ? (
        <Question asked={ask.data} pending={say.isPending} failure={say.error} onSay={say.mutate} />
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack>
            <Text c="dimmed">{t('programs.deviceLead')}</Text>
            <TextInput
              label={t('programs.code')}
              placeholder="WDJB-MJHT"
              size="md"
              autoComplete="off"
              autoCapitalize="characters"
              maxLength={50}
              data-autofocus
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            <FormFailure of={ask.error} />
            <Button type="submit" size="md" loading={ask.isPending} disabled={!code.trim()}>
              {t('programs.goOn')}
            </Button>
          </Stack>
        </form>
      )}
    </Card>
  )
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  useDocumentTitle(`${title} · Moorage`)
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Stack gap="lg">
          <Stack gap={6}>
            <Mark size={36} />
            <Title order={1} mt="xs">
              {title}
            </Title>
          </Stack>
          {children}
          <LanguageChoice />
        </Stack>
      </div>
    </main>
  )
}

interface QuestionProps {
  asked: Asked
  pending: boolean
  failure: unknown
  onSay: (allow: boolean) => void
}

function Question({ asked, pending, failure, onSay }: QuestionProps) {
  const { t } = useTranslation()
  const format = useFormat()
  const me = useQuery(meQuery).data
  const name = asked.clientName ?? ''
  return (
    <Stack>
      <Text>
        <Trans i18nKey="programs.wants" values={{ name, who: me?.label ?? '' }} components={{ b: <b /> }} />
      </Text>
      <Text c="dimmed" fz="sm">
        {asked.organizationName
          ? t('programs.within', { organization: asked.organizationName })
          : t('programs.everywhere')}
      </Text>
      {asked.scopes.length ? (
        <List icon={<IconCheck size={16} />} spacing={4} center>
          {asked.scopes.map((scope) => (
            <List.Item key={scope}>{t(`rights.${scope.replace(':', '_')}` as never)}</List.Item>
          ))}
        </List>
      ) : (
        <Text>{t('programs.nothing')}</Text>
      )}
      {asked.registeredItself && (
        <Alert icon={<IconAlertTriangle size={18} />} color="yellow" variant="light" role="note">
          {t('programs.registeredItself')}
        </Alert>
      )}
      <Alert icon={<IconInfoCircle size={18} />} variant="light" role="note">
        {asked.redirectHost
          ? t('programs.leadsTo', { host: asked.redirectHost })
          : t('programs.asksFrom', { address: asked.origin ?? '?' })}{' '}
        {asked.rests
          ? t('programs.holdsOn', {
              most: format.duration(asked.holds),
              unused: format.duration(asked.rests),
            })
          : t('programs.holds', { most: format.duration(asked.holds) })}{' '}
        {t('programs.takeBack')}
      </Alert>
      <FormFailure of={failure} />
      <Group justify="flex-end">
        <Button variant="default" size="md" disabled={pending} onClick={() => onSay(false)}>
          {t('programs.refuse')}
        </Button>
        <Button size="md" loading={pending} onClick={() => onSay(true)}>
          {t('programs.allowIt')}
        </Button>
      </Group>
    </Stack>
  )
}
