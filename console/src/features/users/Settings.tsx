import {
  Button,
  Group,
  PasswordInput,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  useMantineColorScheme,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { User } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { MyPrograms } from '@/features/oauth/MyPrograms'
import type { Language } from '@/i18n'
import { FormFailure } from '@/parts/Failure'
import { changes, showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { keepTileUrl, tileUrl } from '@/parts/tiles'
import { useLanguage } from './language'
import { changePassword, changeUser } from './queries'
import { SecondFactor } from './SecondFactor'
import { MySessions } from './Sessions'

/** One's own account and how the console looks here. */
export function Settings() {
  const { t } = useTranslation()
  const { me } = useSession()
  return (
    <Page
      title={t('places.settings')}
      calls={[{ path: '/api/v1/auth/me' }, { path: '/api/v1/auth/sessions' }]}
    >
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Stack>
          {me.user && <You key={me.user.updatedAt} user={me.user} />}
          <Appearance />
        </Stack>
        <Stack>
          <Password />
          {me.user && <SecondFactor />}
          <MySessions />
          <MyPrograms />
        </Stack>
      </SimpleGrid>
    </Page>
  )
}

function You({ user }: { user: User }) {
  const { t } = useTranslation()
  const { can } = useSession()
  const client = useQueryClient()
  // An address is how one is let in again: once given, only who manages users changes it.
  const mayAddress = user.email === null || can('users:manage')
  const before = { name: user.name, email: user.email ?? '' }
  const form = useForm({
    initialValues: before,
    validate: {
      name: (v) => (v.trim() ? null : t('forms.nameMissing')),
      email: (v) => (v === before.email || /^[^@\s]+@[^@\s]+$/.test(v) ? null : t('signIn.emailWrong')),
    },
    validateInputOnBlur: true,
  })
  const save = useMutation({
    mutationFn: (values: typeof before) => changeUser(user.id, changes(before, values)),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('common.saved'))
      void client.invalidateQueries({ queryKey: ['me'] })
      void client.invalidateQueries({ queryKey: ['users'] })
    },
  })
  return (
    <Panel title={t('settings.you')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
        <Stack>
          <TextInput label={t('fields.name')} autoComplete="name" {...form.getInputProps('name')} />
          <TextInput
            label={t('fields.email')}
            description={mayAddress ? undefined : t('settings.emailHelp')}
            type="email"
            autoComplete="email"
            readOnly={!mayAddress}
            {...form.getInputProps('email')}
          />
          <FormFailure of={save.error} />
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
              {t('common.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  )
}

function Appearance() {
  const { t, i18n } = useTranslation()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const choose = useLanguage()
  const [tiles, setTiles] = useState(tileUrl())
  return (
    <Panel title={t('settings.appearance')}>
      <Stack>
        <div>
          <Text fw={500} fz="sm" mb={4}>
            {t('frame.language')}
          </Text>
          <SegmentedControl
            aria-label={t('frame.language')}
            value={i18n.language}
            onChange={(language) => choose(language as Language)}
            data={[
              { value: 'en', label: 'English' },
              { value: 'da', label: 'Dansk' },
            ]}
          />
        </div>
        <div>
          <Text fw={500} fz="sm" mb={4}>
            {t('settings.colours')}
          </Text>
          <SegmentedControl
            aria-label={t('settings.colours')}
            value={colorScheme}
            onChange={(scheme) => setColorScheme(scheme as typeof colorScheme)}
            data={(['light', 'dark', 'auto'] as const).map((one) => ({
              value: one,
              label: t(`settings.scheme.${one}`),
            }))}
          />
        </div>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            keepTileUrl(tiles.trim())
            told(t('common.saved'))
          }}
        >
          <Group align="flex-end" gap="xs">
            <TextInput
              flex={1}
              miw={220}
              label={t('settings.tiles')}
              description={t('settings.tilesHelp')}
              placeholder="/tiles/{z}/{x}/{y}.png"
              value={tiles}
              onChange={(event) => setTiles(event.currentTarget.value)}
            />
            <Button type="submit" variant="default">
              {t('common.save')}
            </Button>
          </Group>
        </form>
      </Stack>
    </Panel>
  )
}

function Password() {
  const { t } = useTranslation()
  const { me } = useSession()
  const client = useQueryClient()
  const has = me.user?.hasPassword ?? false
  const form = useForm({
    initialValues: { currentPassword: '', newPassword: '', again: '' },
    validate: {
      currentPassword: (v) => (!has || v ? null : t('signIn.passwordMissing')),
      newPassword: (v) => (v.length >= 12 ? null : t('settings.passwordShort')),
      again: (v, all) => (v === all.newPassword ? null : t('settings.passwordDiffers')),
    },
  })
  const save = useMutation({
    mutationFn: (values: typeof form.values) =>
      changePassword(has ? values.currentPassword : null, values.newPassword),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      told(t('settings.passwordSet'))
      form.reset()
      void client.invalidateQueries({ queryKey: ['me'] })
      void client.invalidateQueries({ queryKey: ['sessions'] })
    },
  })
  return (
    <Panel title={has ? t('settings.changePassword') : t('settings.setPassword')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))} noValidate>
        <Stack>
          <input
            type="text"
            name="username"
            autoComplete="username"
            value={me.user?.email ?? ''}
            readOnly
            hidden
          />
          {has && (
            <PasswordInput
              label={t('settings.currentPassword')}
              autoComplete="current-password"
              {...form.getInputProps('currentPassword')}
            />
          )}
          <PasswordInput
            label={t('settings.newPassword')}
            description={t('settings.passwordHelp')}
            autoComplete="new-password"
            {...form.getInputProps('newPassword')}
          />
          <PasswordInput
            label={t('settings.again')}
            autoComplete="new-password"
            {...form.getInputProps('again')}
          />
          <FormFailure of={save.error} />
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending}>
              {t('common.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  )
}
