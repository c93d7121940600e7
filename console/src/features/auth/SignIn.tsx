import { Alert, Button, Center, Loader, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconInfoCircle } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from '@/parts/Failure'
import { LanguageChoice } from '@/parts/LanguageChoice'
import { Mark } from '@/shell/Mark'
import { linkToken } from './link'
import { meQuery, redeemLink, signIn } from './queries'
import classes from './SignIn.module.css'

/** Sign in with a one-time link or with e-mail and password. */
export function SignIn() {
  const { t } = useTranslation()
  useDocumentTitle(`${t('signIn.title')} · Moorage`)
  const client = useQueryClient()
  const router = useRouter()
  const { to = '/' } = useSearch({ strict: false }) as { to?: string }
  const done = () => client.invalidateQueries({ queryKey: ['me'] })
  const link = useMutation({ mutationFn: redeemLink, onSuccess: done })
  const password = useMutation({ mutationFn: signIn, onSuccess: done })
  const [token] = useState(() => linkToken(window.location.hash))
  const redeemed = useRef(false)
  const { mutate } = link
  useEffect(() => {
    if (!token || redeemed.current) return
    redeemed.current = true
    window.history.replaceState(null, '', window.location.pathname + window.location.search)
    mutate(token)
  }, [mutate, token])
  // Asked before the link is redeemed, the answer would be that nobody is signed in.
  const me = useQuery({ ...meQuery, enabled: !token || link.isSuccess || link.isError })
  const signedIn = !!me.data && !link.isPending
  useEffect(() => {
    // Only a path of this console: never another host's address.
    if (signedIn) router.history.push(/^\/(?!\/)/.test(to) ? to : '/')
  }, [signedIn, to, router])
  const [email, setEmail] = useState('')
  const [secret, setSecret] = useState('')
  const [tried, setTried] = useState(false)
  const wrong = {
    email: /^([^@\s]+@[^@\s]+|[\w.-]+\\[^\\]+)$/.test(email) ? null : t('signIn.nameWrong'),
    password: secret ? null : t('signIn.passwordMissing'),
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (!wrong.email && !wrong.password) password.mutate({ email, password: secret })
  }
  if (link.isPending || link.isSuccess) {
    return (
      <Center mih="100dvh" role="status">
        <Stack align="center">
          <Loader />
          <Text>{t('signIn.redeeming')}</Text>
        </Stack>
      </Center>
    )
  }
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Stack gap="lg">
          <Stack gap={6}>
            <Mark size={36} />
            <Title order={1} mt="xs">
              {t('signIn.title')}
            </Title>
            <Text c="dimmed">{t('signIn.lead')}</Text>
          </Stack>
          <FormFailure of={link.error ?? password.error} />
          <form onSubmit={submit} noValidate>
            <Stack>
              <TextInput
                label={t('signIn.email')}
                inputMode="email"
                autoComplete="username"
                size="md"
                value={email}
                onChange={(event) => setEmail(event.currentTarget.value)}
                error={tried && wrong.email}
              />
              <PasswordInput
                label={t('signIn.password')}
                autoComplete="current-password"
                size="md"
                value={secret}
                onChange={(event) => setSecret(event.currentTarget.value)}
                error={tried && wrong.password}
              />
              <Button type="submit" size="md" loading={password.isPending} fullWidth>
                {t('signIn.action')}
              </Button>
            </Stack>
          </form>
          <Alert role="note" icon={<IconInfoCircle size={18} />} color="gray" variant="light">
            {t('signIn.linkHelp')} <code>moorage user link</code>
          </Alert>
          <LanguageChoice />
        </Stack>
      </div>
    </main>
  )
}
