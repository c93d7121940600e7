import { Button, Stack, Text, TextInput } from '@mantine/core'
import { IconFingerprint } from '@tabler/icons-react'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from '@/parts/Failure'
import { askPasskey, knowsPasskeys } from './passkey'
import type { Proof } from './queries'

interface Props {
  /** What the server asks for: `totp`, `backupCode`, `passkey`. */
  ways: string[]
  options: unknown
  pending: boolean
  failure: unknown
  onProof: (proof: Proof) => void
  onBack: () => void
}

/** The second step of the sign-in: a code, or a passkey. */
export function SecondStep({ ways, options, pending, failure, onProof, onBack }: Props) {
  const { t } = useTranslation()
  const [code, setCode] = useState('')
  const [tried, setTried] = useState(false)
  const typed = code.trim().length >= 6
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (typed) onProof({ code: code.trim() })
  }
  const show = async () => {
    const passkey = await askPasskey(options)
    if (passkey) onProof({ passkey })
  }
  return (
    <Stack>
      <FormFailure of={failure} />
      {ways.includes('totp') && (
        <form onSubmit={submit} noValidate>
          <Stack>
            <TextInput
              label={t('signIn.code')}
              description={t('signIn.codeHelp')}
              size="md"
              data-autofocus
              autoFocus
              autoComplete="one-time-code"
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
              error={tried && !typed && t('signIn.codeMissing')}
            />
            <Button type="submit" size="md" loading={pending} fullWidth>
              {t('signIn.action')}
            </Button>
          </Stack>
        </form>
      )}
      {ways.includes('passkey') &&
        (knowsPasskeys() ? (
          <Button
            variant={ways.includes('totp') ? 'default' : 'filled'}
            size="md"
            fullWidth
            loading={pending}
            leftSection={<IconFingerprint size={18} />}
            onClick={() => void show()}
          >
            {t('signIn.usePasskey')}
          </Button>
        ) : (
          <Text c="dimmed">{t('signIn.noPasskeys')}</Text>
        ))}
      <Button variant="subtle" onClick={onBack}>
        {t('signIn.back')}
      </Button>
    </Stack>
  )
}
