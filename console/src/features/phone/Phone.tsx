import { Alert, Anchor, Button, Stack, Text, TextInput, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconInfoCircle } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FormFailure } from '@/parts/Failure'
import { LanguageChoice } from '@/parts/LanguageChoice'
import { Mark } from '@/shell/Mark'
import { claimToken, guessName, type Identity, keepIdentity, keptIdentity, redeemClaim } from './identity'
import classes from './Phone.module.css'
import { Sending } from './Sending'

/** A phone's own page: it becomes a device by a one-time link, and then sends what it senses. */
export function Phone() {
  const { t } = useTranslation()
  useDocumentTitle(`${t('phone.title')} · Moorage`)
  const [identity, setIdentity] = useState(keptIdentity)
  const [token, setToken] = useState(() => claimToken(window.location.hash))
  const become = (made: Identity | null) => {
    keepIdentity(made)
    setIdentity(made)
    setToken(null)
    window.history.replaceState(null, '', window.location.pathname)
  }
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Stack gap="lg">
          <Mark size={32} />
          {token ? (
            <Claim token={token} onMade={become} former={identity} keep={() => become(identity)} />
          ) : identity ? (
            <Sending identity={identity} leave={() => become(null)} />
          ) : (
            <>
              <Title order={1}>{t('phone.noLink')}</Title>
              <Text>{t('phone.noLinkHelp')}</Text>
              <Text>
                <code>moorage phone --lan</code>
              </Text>
            </>
          )}
          <LanguageChoice />
        </Stack>
      </div>
    </main>
  )
}

interface ClaimProps {
  token: string
  onMade: (made: Identity) => void
  /** Who this browser is already. */
  former: Identity | null
  keep: () => void
}

function Claim({ token, onMade, former, keep }: ClaimProps) {
  const { t } = useTranslation()
  const [name, setName] = useState(() => guessName(navigator.userAgent) || t('phone.aPhone'))
  const claim = useMutation({ mutationFn: redeemClaim, onSuccess: onMade })
  const ask = (event: FormEvent) => {
    event.preventDefault()
    claim.mutate({ token, name: name.trim() })
  }
  return (
    <form onSubmit={ask}>
      <Stack>
        <Title order={1}>{t('phone.title')}</Title>
        <Text>{t('phone.lead')}</Text>
        <TextInput
          label={t('connect.deviceName')}
          size="md"
          maxLength={100}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <FormFailure of={claim.error} />
        <Button type="submit" size="md" fullWidth loading={claim.isPending} disabled={!name.trim()}>
          {t('phone.become')}
        </Button>
        {former && (
          <Alert role="note" icon={<IconInfoCircle size={18} />} color="gray" variant="light">
            {t('phone.already', { name: former.name })}{' '}
            <Anchor component="button" type="button" fz="sm" underline="always" onClick={keep}>
              {t('phone.stay')}
            </Anchor>
          </Alert>
        )}
      </Stack>
    </form>
  )
}
