import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { IconMailCheck } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from '@/parts/Failure'
import { askReset, setPassword } from './queries'

/** Ask for a mail with a link that sets a new password. */
export function Forgotten({ email: known, onBack }: { email: string; onBack: () => void }) {
  const { t } = useTranslation()
  const [email, setEmail] = useState(known)
  const [tried, setTried] = useState(false)
  const right = /^[^@\s]+@[^@\s]+$/.test(email)
  const ask = useMutation({ mutationFn: askReset })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (right) ask.mutate(email)
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {ask.isSuccess ? (
          <Alert role="status" icon={<IconMailCheck size={18} />} variant="light">
            {t('signIn.resetSent', { email })}
          </Alert>
        ) : (
          <>
            <Text>{t('signIn.forgottenHelp')}</Text>
            <TextInput
              label={t('signIn.email')}
              type="email"
              autoComplete="username"
              size="md"
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
              error={tried && !right && t('signIn.emailWrong')}
            />
            <FormFailure of={ask.error} />
            <Button type="submit" size="md" loading={ask.isPending} fullWidth>
              {t('signIn.sendLink')}
            </Button>
          </>
        )}
        <Button variant="subtle" onClick={onBack}>
          {t('signIn.back')}
        </Button>
      </Stack>
    </form>
  )
}

/** Set a password by the link of a mail; then one signs in as usual. */
export function NewPassword({ token, onDone }: { token: string; onDone: () => void }) {
  const { t } = useTranslation()
  const [chosen, setChosen] = useState('')
  const [again, setAgain] = useState('')
  const [tried, setTried] = useState(false)
  const wrong = {
    chosen: chosen.length >= 12 ? null : t('settings.passwordShort'),
    again: chosen === again ? null : t('settings.passwordDiffers'),
  }
  const set = useMutation({ mutationFn: setPassword, onSuccess: onDone })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (!wrong.chosen && !wrong.again) set.mutate({ token, newPassword: chosen })
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <PasswordInput
          label={t('settings.newPassword')}
          description={t('signIn.newPasswordHelp')}
          autoComplete="new-password"
          size="md"
          value={chosen}
          onChange={(event) => setChosen(event.currentTarget.value)}
          error={tried && wrong.chosen}
        />
        <PasswordInput
          label={t('settings.again')}
          autoComplete="new-password"
          size="md"
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          error={tried && wrong.again}
        />
        <FormFailure of={set.error} />
        <Button type="submit" size="md" loading={set.isPending} fullWidth>
          {t('settings.setPassword')}
        </Button>
      </Stack>
    </form>
  )
}
