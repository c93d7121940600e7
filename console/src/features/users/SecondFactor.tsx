import { Button, Code, Group, Image, PasswordInput, Stack, Table, Text, TextInput } from '@mantine/core'
import { IconFingerprint, IconShieldCheck, IconShieldOff } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { SecondFactors } from '@/api/types'
import { knowsPasskeys, makePasskey } from '@/features/auth/passkey'
import { waysQuery } from '@/features/auth/queries'
import { useSession } from '@/features/auth/session'
import { Confirm } from '@/parts/Confirm'
import { useFailureText } from '@/parts/Failure'
import { FormModal } from '@/parts/FormModal'
import { failed, told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { SecretModal } from '@/parts/Secret'
import { Time } from '@/parts/Time'
import {
  addPasskey,
  beginPasskey,
  beginTotp,
  confirmTotp,
  makeBackupCodes,
  removePasskey,
  removeTotp,
  secondFactorsQuery,
} from './queries'

type Asked = 'totp' | 'passkey' | 'codes' | 'remove'

/** What one shows beside the password: an authenticator app, backup codes, passkeys. */
export function SecondFactor() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  const { me } = useSession()
  const found = useQuery(secondFactorsQuery).data
  const ways = useQuery(waysQuery).data
  const [asked, setAsked] = useState<Asked | null>(null)
  const [setup, setSetup] = useState<{ qr: string; secret: string } | null>(null)
  const [codes, setCodes] = useState<string[] | null>(null)
  const [ending, setEnding] = useState<SecondFactors['passkeys'][number] | null>(null)
  const has = me.user?.hasPassword ?? false
  const refresh = () => {
    void client.invalidateQueries({ queryKey: ['second-factors'] })
    void client.invalidateQueries({ queryKey: ['me'] })
  }
  const act = useMutation({
    mutationFn: async ({ password, code, name }: { password: string | null; code: string; name: string }) => {
      if (asked === 'totp') setSetup(await beginTotp(password))
      if (asked === 'codes') setCodes((await makeBackupCodes(password, code)).codes)
      if (asked === 'remove') await removeTotp(password, code)
      if (asked === 'passkey') {
        const made = await makePasskey(await beginPasskey(password))
        if (made) await addPasskey(name.trim() || t('secondFactor.passkey'), made)
      }
    },
    onSuccess: () => {
      if (asked === 'remove') told(t('secondFactor.removed'))
      setAsked(null)
      refresh()
    },
  })
  if (!found) return null
  return (
    <Panel title={t('secondFactor.title')}>
      <Stack>
        <Text c="dimmed">{t('secondFactor.help')}</Text>
        <Group justify="space-between" gap="xs">
          <Group gap="xs" wrap="nowrap">
            {found.totp ? <IconShieldCheck size={20} /> : <IconShieldOff size={20} />}
            <div>
              <Text fw={550}>{t('secondFactor.app')}</Text>
              <Text fz="sm" c="dimmed">
                {found.totp
                  ? t('secondFactor.codesLeft', { count: found.backupCodesLeft })
                  : t('secondFactor.none')}
              </Text>
            </div>
          </Group>
          {found.totp ? (
            <Group gap="xs">
              <Button size="compact-sm" variant="default" onClick={() => setAsked('codes')}>
                {t('secondFactor.newCodes')}
              </Button>
              <Button size="compact-sm" variant="light" color="red" onClick={() => setAsked('remove')}>
                {t('secondFactor.removeApp')}
              </Button>
            </Group>
          ) : (
            <Button size="compact-sm" onClick={() => setAsked('totp')}>
              {t('secondFactor.setUp')}
            </Button>
          )}
        </Group>
        {found.passkeys.length > 0 && (
          <Table>
            <Table.Tbody>
              {found.passkeys.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td>
                    <Text>{one.name}</Text>
                    <Text fz="sm" c="dimmed">
                      {one.usedAt ? (
                        <Time at={one.usedAt} span fz="sm" c="dimmed" />
                      ) : (
                        t('secondFactor.unused')
                      )}
                    </Text>
                  </Table.Td>
                  <Table.Td w={100} ta="right">
                    <Button size="compact-sm" variant="default" onClick={() => setEnding(one)}>
                      {t('common.remove')}
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        {ways?.passkeys && knowsPasskeys() && (
          <Group justify="flex-end">
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<IconFingerprint size={16} />}
              onClick={() => setAsked('passkey')}
            >
              {t('secondFactor.addPasskey')}
            </Button>
          </Group>
        )}
      </Stack>
      {asked && (
        <Ask
          title={t(`secondFactor.ask.${asked}`)}
          password={has}
          code={asked === 'codes' || asked === 'remove'}
          name={asked === 'passkey'}
          pending={act.isPending}
          failure={act.error}
          onClose={() => {
            act.reset()
            setAsked(null)
          }}
          onSubmit={(given) => act.mutate(given)}
        />
      )}
      {setup && (
        <SetUp
          {...setup}
          onClose={() => setSetup(null)}
          onDone={(made) => {
            setSetup(null)
            setCodes(made)
            refresh()
          }}
        />
      )}
      {codes && (
        <SecretModal title={t('secondFactor.codes')} secret={codes.join('\n')} onClose={() => setCodes(null)}>
          {t('secondFactor.codesHelp')}
        </SecretModal>
      )}
      {ending && (
        <Confirm
          title={t('secondFactor.removePasskey')}
          action={t('common.remove')}
          act={() => removePasskey(ending.id).catch((failure) => failed(text(failure)))}
          onClose={() => setEnding(null)}
          onDone={refresh}
        >
          {t('secondFactor.removePasskeyAsk', { name: ending.name })}
        </Confirm>
      )}
    </Panel>
  )
}

interface AskProps {
  title: string
  password: boolean
  code: boolean
  name: boolean
  pending: boolean
  failure: unknown
  onClose: () => void
  onSubmit: (given: { password: string | null; code: string; name: string }) => void
}

/** Have the password shown once more, and a code where one is set up. */
function Ask({ title, password, code, name, pending, failure, onClose, onSubmit }: AskProps) {
  const { t } = useTranslation()
  const [typed, setTyped] = useState({ password: '', code: '', name: '' })
  const put = (part: Partial<typeof typed>) => setTyped({ ...typed, ...part })
  return (
    <FormModal
      title={title}
      action={t('secondFactor.goOn')}
      size="md"
      pending={pending}
      failure={failure}
      onClose={onClose}
      onSubmit={(event) => {
        event?.preventDefault()
        onSubmit({ ...typed, password: typed.password || null })
      }}
    >
      {name && (
        <TextInput
          label={t('fields.name')}
          description={t('secondFactor.nameHelp')}
          maxLength={100}
          value={typed.name}
          onChange={(event) => put({ name: event.currentTarget.value })}
        />
      )}
      {password && (
        <PasswordInput
          label={t('settings.currentPassword')}
          description={t('secondFactor.passwordHelp')}
          autoComplete="current-password"
          value={typed.password}
          onChange={(event) => put({ password: event.currentTarget.value })}
        />
      )}
      {code && (
        <TextInput
          label={t('signIn.code')}
          autoComplete="one-time-code"
          value={typed.code}
          onChange={(event) => put({ code: event.currentTarget.value })}
        />
      )}
    </FormModal>
  )
}

interface SetUpProps {
  qr: string
  secret: string
  onClose: () => void
  onDone: (codes: string[]) => void
}

/** Show the app its secret, and have it show a code. */
function SetUp({ qr, secret, onClose, onDone }: SetUpProps) {
  const { t } = useTranslation()
  const [code, setCode] = useState('')
  const confirm = useMutation({ mutationFn: confirmTotp, onSuccess: (made) => onDone(made.codes) })
  return (
    <FormModal
      title={t('secondFactor.ask.totp')}
      action={t('secondFactor.setUp')}
      size="md"
      pending={confirm.isPending}
      failure={confirm.error}
      onClose={onClose}
      onSubmit={(event) => {
        event?.preventDefault()
        confirm.mutate(code.trim())
      }}
    >
      <Text>{t('secondFactor.scan')}</Text>
      <Image src={qr} alt={t('secondFactor.qr')} w={220} mx="auto" />
      <Text fz="sm" ta="center">
        {t('secondFactor.orType')} <Code>{secret.match(/.{1,4}/g)?.join(' ')}</Code>
      </Text>
      <TextInput
        label={t('signIn.code')}
        autoComplete="one-time-code"
        inputMode="numeric"
        value={code}
        onChange={(event) => setCode(event.currentTarget.value)}
      />
    </FormModal>
  )
}
