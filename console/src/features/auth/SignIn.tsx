import {
  Alert,
  Anchor,
  Button,
  Center,
  Loader,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconFingerprint, IconInfoCircle } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter, useSearch } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import { FormFailure } from '@/parts/Failure'
import { LanguageChoice } from '@/parts/LanguageChoice'
import { told } from '@/parts/notify'
import { Mark } from '@/shell/Mark'
import { Forgotten, NewPassword } from './Forgotten'
import { failedIn, linkToken, resetIn } from './link'
import { Offers } from './Offers'
import { knowsPasskeys } from './passkey'
import { meQuery, type Proof, redeemLink, signIn, signInByPasskey, waysQuery } from './queries'
import { SecondStep } from './SecondStep'
import classes from './SignIn.module.css'

/** Sign in with a one-time link, with e-mail and password, or with a passkey. */
export function SignIn() {
  const { t } = useTranslation()
  useDocumentTitle(`${t('signIn.title')} · Moorage`)
  const client = useQueryClient()
  const router = useRouter()
  const { to = '/' } = useSearch({ strict: false }) as { to?: string }
  const ways = useQuery(waysQuery).data
  const done = () => client.invalidateQueries({ queryKey: ['me'] })
  const link = useMutation({ mutationFn: redeemLink, onSuccess: done })
  const password = useMutation({ mutationFn: signIn, onSuccess: done })
  const passkey = useMutation({ mutationFn: signInByPasskey, onSuccess: done })
  const [token] = useState(() => linkToken(window.location.hash))
  const [reset, setReset] = useState(() => resetIn(window.location.hash))
  const [refused] = useState(() => failedIn(window.location.hash))
  const redeemed = useRef(false)
  const { mutate } = link
  useEffect(() => {
    if (!window.location.hash || redeemed.current) return
    redeemed.current = true
    window.history.replaceState(null, '', window.location.pathname + window.location.search)
    if (token) mutate({ token })
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
  // The step asked for stays while a code is looked at, and after a wrong one.
  const [second, setSecond] = useState<Problem | null>(null)
  const asked = [link.error, password.error].find(
    (failure) => failure instanceof Problem && failure.code === 'users.second_factor_needed',
  ) as Problem | undefined
  if (asked && asked !== second) setSecond(asked)
  const prove = (proof: Proof) =>
    token && !password.variables
      ? link.mutate({ token, ...proof })
      : password.mutate({ email, password: secret, ...proof })
  const back = () => {
    setSecond(null)
    password.reset()
    setSecret('')
  }
  if ((link.isPending && !second) || link.isSuccess) {
    return (
      <Center mih="100dvh" role="status">
        <Stack align="center">
          <Loader />
          <Text>{t('signIn.redeeming')}</Text>
        </Stack>
      </Center>
    )
  }
  const failure = link.error ?? password.error ?? passkey.error
  const step = second ? 'second' : reset.token ? 'newPassword' : reset.asks ? 'forgotten' : 'first'
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Stack gap="lg">
          <Stack gap={6}>
            <Mark size={36} />
            <Title order={1} mt="xs">
              {t('signIn.title')}
            </Title>
            <Text c="dimmed">{t(step === 'second' ? 'signIn.secondLead' : 'signIn.lead')}</Text>
          </Stack>
          {step === 'second' && second && (
            <SecondStep
              ways={(second.given.ways as string[]) ?? []}
              options={second.given.passkey}
              pending={password.isPending || link.isPending}
              failure={failure === second ? null : failure}
              onProof={prove}
              onBack={back}
            />
          )}
          {step === 'newPassword' && reset.token && (
            <NewPassword
              token={reset.token}
              onDone={() => {
                told(t('signIn.passwordSet'))
                setReset({ token: null, asks: false })
              }}
            />
          )}
          {step === 'forgotten' && (
            <Forgotten email={email} onBack={() => setReset({ token: null, asks: false })} />
          )}
          {step === 'first' && (
            <>
              <Offers refused={refused} to={to} />
              <FormFailure of={failure} />
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
                  {ways?.passkeys && knowsPasskeys() && (
                    <Button
                      variant="default"
                      size="md"
                      px="sm"
                      fullWidth
                      leftSection={<IconFingerprint size={18} />}
                      loading={passkey.isPending}
                      onClick={() => passkey.mutate()}
                    >
                      {t('signIn.withPasskey')}
                    </Button>
                  )}
                  {ways?.resetByMail && (
                    <Anchor
                      component="button"
                      type="button"
                      onClick={() => setReset({ token: null, asks: true })}
                    >
                      {t('signIn.forgotten')}
                    </Anchor>
                  )}
                </Stack>
              </form>
              {ways && !ways.resetByMail && (
                <Alert role="note" icon={<IconInfoCircle size={18} />} color="gray" variant="light">
                  {t('signIn.linkHelp')} <code>moorage user link</code>
                </Alert>
              )}
            </>
          )}
          <LanguageChoice />
        </Stack>
      </div>
    </main>
  )
}
