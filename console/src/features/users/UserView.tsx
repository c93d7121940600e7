import { Anchor, Button, Group, Stack, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { User, UserPatch } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { groupsOfMemberQuery } from '@/features/organizations/queries'
import { Confirm } from '@/parts/Confirm'
import { DayInput } from '@/parts/DayInput'
import { FormFailure, useFailureText } from '@/parts/Failure'
import { changes, showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { failed, told } from '@/parts/notify'
import { Facts } from '@/parts/Panel'
import { SecretModal } from '@/parts/Secret'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { changeUser, endSessionsOf, linkFor, removeSecondFactorsOf, removeUser, takeOut } from './queries'
import { SessionsOf } from './Sessions'
import { USER_TONE, userState } from './Users'

/** One person: what they hold, their account, its end. */
export function UserView({ user, onGone }: { user: User; onGone: () => void }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { can, me, organizationId } = useSession()
  const client = useQueryClient()
  const text = useFailureText()
  const [link, setLink] = useState<{ url: string; expiresAt: string } | null>(null)
  const [removing, setRemoving] = useState(false)
  const [leaving, setLeaving] = useState(false)
  const [forgetting, setForgetting] = useState(false)
  const groups = useQuery(groupsOfMemberQuery(user.id)).data?.items ?? []
  const may = can('users:manage')
  const self = me.id === user.id
  const refresh = () => void client.invalidateQueries({ queryKey: ['users'] })
  const onError = (failure: unknown) => failed(text(failure))
  const change = useMutation({
    mutationFn: (body: UserPatch) => changeUser(user.id, body),
    onSuccess: () => told(t('common.saved')),
    onError,
    onSettled: refresh,
  })
  const give = useMutation({ mutationFn: () => linkFor(user.id), onSuccess: setLink, onError })
  const end = useMutation({
    mutationFn: () => endSessionsOf(user.id),
    onSuccess: () => told(t('users.sessionsEnded')),
    onSettled: () => void client.invalidateQueries({ queryKey: ['sessions', user.id] }),
    onError,
  })
  return (
    <Stack>
      <Status tone={USER_TONE[userState(user)]}>{t(`userState.${userState(user)}`)}</Status>
      <Facts
        rows={[
          [t('fields.email'), user.email],
          [t('users.lastSignIn'), <Time key="seen" at={user.signedInAt} />],
          [t('users.expires'), user.expiresAt ? format.date(user.expiresAt) : t('users.never')],
          [
            t('places.permissions'),
            groups.length
              ? groups.map((group) => (
                  <div key={group.id}>
                    <Anchor component={Link} to={`/permissions/${group.id}`}>
                      {group.name}
                    </Anchor>
                  </div>
                ))
              : t('users.noGroups'),
          ],
        ]}
      />
      {may && <Edit key={user.updatedAt} user={user} />}
      {may && <SessionsOf userId={user.id} />}
      {may && (
        <Group gap="xs">
          <Button variant="default" loading={give.isPending} onClick={() => give.mutate()}>
            {t('users.newLink')}
          </Button>
          <Button variant="default" loading={end.isPending} onClick={() => end.mutate()}>
            {t('users.endSessions')}
          </Button>
          {!self && (
            <Button variant="default" onClick={() => setForgetting(true)}>
              {t('users.removeFactors')}
            </Button>
          )}
          {!self && (
            <Button
              variant="light"
              color={user.active ? 'red' : undefined}
              loading={change.isPending}
              onClick={() => change.mutate({ active: !user.active })}
            >
              {user.active ? t('users.close') : t('users.reopen')}
            </Button>
          )}
          {organizationId && groups.length > 0 && (
            <Button variant="light" color="red" onClick={() => setLeaving(true)}>
              {t('users.takeOut')}
            </Button>
          )}
          {!self && (
            <Button variant="light" color="red" onClick={() => setRemoving(true)}>
              {t('common.remove')}
            </Button>
          )}
        </Group>
      )}
      {link && (
        <SecretModal title={t('users.linkTitle')} secret={link.url} onClose={() => setLink(null)}>
          {t('users.linkHelp', { until: format.instant(link.expiresAt, false) })}
        </SecretModal>
      )}
      {leaving && organizationId && (
        <Confirm
          title={t('users.takeOut')}
          action={t('users.takeOut')}
          act={() => takeOut(user.id, organizationId)}
          onClose={() => setLeaving(false)}
          onDone={() => {
            void client.invalidateQueries({ queryKey: ['permissions'] })
            refresh()
            onGone()
          }}
        >
          {t('users.takeOutAsk', { name: user.name })}
        </Confirm>
      )}
      {forgetting && (
        <Confirm
          title={t('users.removeFactors')}
          action={t('users.removeFactors')}
          act={() => removeSecondFactorsOf(user.id)}
          onClose={() => setForgetting(false)}
          onDone={() => void client.invalidateQueries({ queryKey: ['sessions', user.id] })}
        >
          {t('users.removeFactorsAsk', { name: user.name })}
        </Confirm>
      )}
      {removing && (
        <Confirm
          title={t('users.remove')}
          action={t('common.remove')}
          name={user.name}
          act={() => removeUser(user.id)}
          onClose={() => setRemoving(false)}
          onDone={() => {
            refresh()
            onGone()
          }}
        >
          {t('users.removeAsk')}
        </Confirm>
      )}
    </Stack>
  )
}

function Edit({ user }: { user: User }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const before = { name: user.name, email: user.email ?? '', expiresAt: user.expiresAt }
  const form = useForm({
    initialValues: before,
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
  const save = useMutation({
    mutationFn: (values: typeof before) => changeUser(user.id, changes(before, values)),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['users'] })
    },
  })
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
      <Stack gap="xs">
        <TextInput label={t('fields.name')} {...form.getInputProps('name')} />
        <TextInput label={t('fields.email')} type="email" {...form.getInputProps('email')} />
        <DayInput label={t('users.lastDay')} {...form.getInputProps('expiresAt')} />
        <FormFailure of={save.error} />
        {form.isDirty() && (
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending}>
              {t('common.save')}
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  )
}
