import { useMantineColorScheme } from '@mantine/core'
import {
  type Icon,
  IconActivity,
  IconChartLine,
  IconDatabaseImport,
  IconHistory,
  IconLanguage,
  IconLogout,
  IconMessage2,
  IconMoon,
  IconPlugConnected,
  IconPlus,
  IconSettings,
  IconSun,
  IconTerminal2,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useLocation } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { useSignOut } from '@/features/auth/signOut'
import { deviceQuery } from '@/features/devices/queries'
import { useLanguage } from '@/features/users/language'

/** Something the palette does: at an address, or by itself. */
export interface Action {
  key: string
  icon: Icon
  label: string
  to?: string
  act?: () => void
}

/** What can be begun from anywhere. */
const BEGUN = [
  { to: '/connect', label: 'palette.register', needs: 'devices:manage', icon: IconPlugConnected },
  { to: '/import', label: 'import.title', needs: 'devices:manage', icon: IconDatabaseImport },
  { to: '/applications?new=true', label: 'applications.new', needs: 'applications:manage', icon: IconPlus },
  { to: '/decoders?new=true', label: 'decoders.new', needs: 'decoders:manage', icon: IconPlus },
  { to: '/brokers?new=true', label: 'brokers.new', needs: 'sources:manage', icon: IconPlus },
  { to: '/sources?new=true', label: 'sources.new', needs: 'sources:manage', icon: IconPlus },
  { to: '/targets?new=true', label: 'targets.new', needs: 'targets:manage', icon: IconPlus },
  { to: '/users?new=true', label: 'users.invite', needs: 'users:manage', icon: IconPlus },
  { to: '/permissions?new=true', label: 'permissions.new', needs: 'users:manage', icon: IconPlus },
  { to: '/api-keys?new=true', label: 'apiKeys.new', needs: 'users:manage', icon: IconPlus },
  { to: '/programs?new=true', label: 'programs.new', needs: 'users:manage', icon: IconPlus },
  { to: '/plans?new=true', label: 'plans.new', needs: 'organizations:manage', icon: IconPlus },
  { to: '/organizations?new=true', label: 'organizations.new', needs: 'installation:manage', icon: IconPlus },
] as const

/** What is done with a device, on its page. */
const OF_DEVICE = [
  { tab: 'live', label: 'devices.live', needs: 'devices:read', icon: IconActivity },
  { tab: 'readings', label: 'devices.readings', needs: 'devices:read', icon: IconChartLine },
  { tab: 'messages', label: 'places.messages', needs: 'messages:read', icon: IconMessage2 },
  { tab: 'operations', label: 'operations.ask', needs: 'devices:operate', icon: IconTerminal2 },
  { tab: 'timeline', label: 'devices.timeline', needs: 'devices:read', icon: IconHistory },
  { tab: 'settings', label: 'devices.settings', needs: 'devices:manage', icon: IconSettings },
] as const

/** Give what can be done with the device whose page this is; nothing elsewhere. */
export function useDeviceActions(): { name: string; actions: Action[] } {
  const { t } = useTranslation()
  const { can } = useSession()
  const id = /^\/devices\/([^/]+)$/.exec(useLocation().pathname)?.[1] ?? ''
  const device = useQuery({ ...deviceQuery(id), enabled: id !== '' }).data
  if (!device) return { name: '', actions: [] }
  const actions: Action[] = OF_DEVICE.filter((one) => can(one.needs, device.organizationId)).map((one) => ({
    key: `here-${one.tab}`,
    icon: one.icon,
    label: t(one.label),
    to: `/devices/${id}?tab=${one.tab}`,
  }))
  if (can('devices:manage', device.organizationId)) {
    actions.push({
      key: 'here-connect',
      icon: IconPlugConnected,
      label: t('devices.howToConnect'),
      to: `/connect?device=${id}`,
    })
  }
  return { name: device.name, actions }
}

/** Give what can be done from anywhere, as far as the person may. */
export function useActions(): Action[] {
  const { t, i18n } = useTranslation()
  const { can } = useSession()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const speak = useLanguage()
  const leave = useSignOut()
  const dark = colorScheme === 'dark'
  const danish = i18n.language === 'da'
  return [
    ...BEGUN.filter((one) => can(one.needs)).map((one) => ({ ...one, key: one.to, label: t(one.label) })),
    {
      key: 'language',
      icon: IconLanguage,
      // In the language of whoever looks for it.
      label: danish ? 'Switch to English' : 'Skift til dansk',
      act: () => speak(danish ? 'en' : 'da'),
    },
    {
      key: 'colours',
      icon: dark ? IconSun : IconMoon,
      label: dark ? t('frame.light') : t('frame.dark'),
      act: () => setColorScheme(dark ? 'light' : 'dark'),
    },
    { key: 'sign-out', icon: IconLogout, label: t('frame.signOut'), act: leave },
  ]
}
