import {
  ActionIcon,
  Avatar,
  Badge,
  Burger,
  Group,
  Indicator,
  Menu,
  NavLink,
  Text,
  Tooltip,
  UnstyledButton,
  useMantineColorScheme,
} from '@mantine/core'
import { useDisclosure, useHotkeys, useMediaQuery } from '@mantine/hooks'
import {
  IconBell,
  IconLogout,
  IconMoon,
  IconPlugConnected,
  IconSearch,
  IconSettings,
  IconSun,
  IconUser,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { useSignOut } from '@/features/auth/signOut'
import { countWaitingQuery } from '@/features/ingest/queries'
import { openNoticesQuery } from '@/features/notifications/queries'
import { useFormat } from '@/parts/format'
import { DiskBanner } from './DiskBanner'
import { SECTIONS } from './destinations'
import classes from './Frame.module.css'
import { InvitationBanner } from './InvitationBanner'
import { Mark } from './Mark'
import { OrganizationSwitch } from './OrganizationSwitch'
import { WithheldBanner } from './WithheldBanner'

const Palette = lazy(() => import('./Palette'))

/** The rail, the top bar and the page between. */
export function Frame() {
  const { t } = useTranslation()
  const { can } = useSession()
  const [opened, { toggle, close }] = useDisclosure()
  const [palette, { open, close: shut }] = useDisclosure()
  const { pathname } = useLocation()
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rail closes when the page changes.
  useEffect(close, [pathname])
  useHotkeys([['mod+K', open]], [])
  const narrow = useMediaQuery('(max-width: 48em)')
  return (
    <div className={classes.frame}>
      <a className="skip" href="#page">
        {t('frame.skip')}
      </a>
      <header className={classes.header}>
        <Group h="100%" px="sm" gap="xs" wrap="nowrap" justify="space-between">
          <Group gap="xs" wrap="nowrap" miw={0} flex={1}>
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t('frame.menu')} />
            <UnstyledButton className={classes.search} onClick={open}>
              <IconSearch size={15} aria-hidden="true" />
              <span>{t('palette.open')}</span>
              {!narrow && <kbd>Ctrl K</kbd>}
            </UnstyledButton>
          </Group>
          <Group gap={4} wrap="nowrap">
            {can('devices:manage') && (
              <Tooltip label={t('places.connect')}>
                <ActionIcon component={Link} to="/connect" size={36} aria-label={t('places.connect')}>
                  <IconPlugConnected size={19} />
                </ActionIcon>
              </Tooltip>
            )}
            {can('devices:read') && <Bell />}
            <Person />
          </Group>
        </Group>
      </header>
      <nav className={classes.rail} data-opened={opened || undefined} aria-label={t('frame.main')}>
        <Group className={classes.brand} wrap="nowrap" gap={10}>
          <Mark />
          <Text fw={650} fz="lg">
            Moorage
          </Text>
          <Burger
            opened
            onClick={close}
            hiddenFrom="sm"
            size="sm"
            ml="auto"
            aria-label={t('frame.closeMenu')}
          />
        </Group>
        <OrganizationSwitch />
        <div className={classes.places}>
          {SECTIONS.map((section) => {
            const places = section.places.filter((place) => !place.needs || can(place.needs))
            return (
              places.length > 0 && (
                <div key={section.key} className={classes.section}>
                  {section.key !== 'work' && (
                    <div className={classes.label}>{t(`sections.${section.key}`)}</div>
                  )}
                  {places.map((place) => (
                    <NavLink
                      key={place.to}
                      component={Link}
                      to={place.to}
                      label={t(`places.${place.key}`)}
                      leftSection={<place.icon size={18} stroke={1.7} />}
                      rightSection={place.key === 'inbox' && <WaitingCount />}
                      active={place.to === '/' ? pathname === '/' : pathname.startsWith(place.to)}
                      className={classes.place}
                    />
                  ))}
                </div>
              )
            )
          })}
        </div>
      </nav>
      <main id="page" tabIndex={-1} className={classes.main}>
        <DiskBanner />
        <WithheldBanner />
        <InvitationBanner />
        <Outlet />
      </main>
      {palette && (
        <Suspense>
          <Palette onClose={shut} />
        </Suspense>
      )}
    </div>
  )
}

function WaitingCount() {
  const { t } = useTranslation()
  const format = useFormat()
  const { organizationId } = useSession()
  const count = useQuery(countWaitingQuery(organizationId)).data ?? 0
  return (
    count > 0 && (
      <Badge size="sm" variant="light" aria-label={t('inbox.waiting', { count })}>
        {format.number(count)}
      </Badge>
    )
  )
}

function Bell() {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const open = useQuery(openNoticesQuery(organizationId))
  const count = open.data?.total ?? open.data?.items.length ?? 0
  const label = t('notices.bell', { count })
  return (
    <Tooltip label={label}>
      <Indicator disabled={count === 0} label={count > 99 ? '99+' : count} size={16} offset={6} color="red">
        <ActionIcon component={Link} to="/notices" size={36} aria-label={label}>
          <IconBell size={19} />
        </ActionIcon>
      </Indicator>
    </Tooltip>
  )
}

function Person() {
  const { t } = useTranslation()
  const { me } = useSession()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const leave = useSignOut()
  const name = me.user?.name ?? me.label
  const dark = colorScheme === 'dark'
  return (
    <Menu position="bottom-end" shadow="md" width={230}>
      <Menu.Target>
        <UnstyledButton aria-label={t('frame.account', { name })} className={classes.person}>
          <Avatar size={32} radius="xl" color="harbour">
            <IconUser size={18} />
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text fz="sm" fw={600} c="var(--mantine-color-text)" truncate>
            {name}
          </Text>
          <Text fz="xs" truncate>
            {me.user?.email ?? ''}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/settings" leftSection={<IconSettings size={16} />}>
          {t('places.settings')}
        </Menu.Item>
        <Menu.Item
          leftSection={dark ? <IconSun size={16} /> : <IconMoon size={16} />}
          onClick={() => setColorScheme(dark ? 'light' : 'dark')}
        >
          {dark ? t('frame.light') : t('frame.dark')}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => leave()}>
          {t('frame.signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
