import {
  type Icon,
  IconActivity,
  IconAddressBook,
  IconAntenna,
  IconApps,
  IconAppWindow,
  IconBell,
  IconBuilding,
  IconBuildingStore,
  IconChartBar,
  IconCloudUpload,
  IconCode,
  IconCpu,
  IconGauge,
  IconHistory,
  IconHome2,
  IconInbox,
  IconKey,
  IconListDetails,
  IconLogin2,
  IconMap2,
  IconMessage2,
  IconPlug,
  IconPlugConnected,
  IconRouter,
  IconSend2,
  IconSettings,
  IconShieldX,
  IconTerminal2,
  IconUsers,
  IconUsersGroup,
} from '@tabler/icons-react'
import type { Permission } from '@/api/types'

/** One place of the console. */
export interface Destination {
  to: string
  key:
    | 'overview'
    | 'connect'
    | 'devices'
    | 'inbox'
    | 'messages'
    | 'map'
    | 'applications'
    | 'refusals'
    | 'connections'
    | 'operations'
    | 'notices'
    | 'decoders'
    | 'brokers'
    | 'sources'
    | 'targets'
    | 'organizations'
    | 'users'
    | 'permissions'
    | 'userStores'
    | 'identityProviders'
    | 'apis'
    | 'apiKeys'
    | 'programs'
    | 'plans'
    | 'usage'
    | 'tasks'
    | 'audit'
    | 'systemLog'
    | 'collectors'
    | 'settings'
  icon: Icon
  needs?: Permission
}

export const SECTIONS: { key: 'work' | 'flow' | 'api' | 'administration'; places: Destination[] }[] = [
  {
    key: 'work',
    places: [
      { to: '/', key: 'overview', icon: IconHome2 },
      { to: '/notices', key: 'notices', icon: IconBell, needs: 'devices:read' },
      { to: '/devices', key: 'devices', icon: IconCpu, needs: 'devices:read' },
      { to: '/inbox', key: 'inbox', icon: IconInbox, needs: 'devices:manage' },
      { to: '/map', key: 'map', icon: IconMap2, needs: 'devices:read' },
      { to: '/applications', key: 'applications', icon: IconApps, needs: 'applications:read' },
    ],
  },
  {
    key: 'flow',
    places: [
      { to: '/messages', key: 'messages', icon: IconMessage2, needs: 'messages:read' },
      { to: '/connections', key: 'connections', icon: IconPlug, needs: 'devices:read' },
      { to: '/brokers', key: 'brokers', icon: IconRouter, needs: 'sources:read' },
      { to: '/sources', key: 'sources', icon: IconAntenna, needs: 'sources:read' },
      { to: '/decoders', key: 'decoders', icon: IconCode, needs: 'decoders:read' },
      { to: '/targets', key: 'targets', icon: IconSend2, needs: 'targets:read' },
      { to: '/operations', key: 'operations', icon: IconTerminal2, needs: 'devices:read' },
      { to: '/refusals', key: 'refusals', icon: IconShieldX, needs: 'devices:read' },
    ],
  },
  {
    key: 'api',
    places: [
      { to: '/apis', key: 'apis', icon: IconBuildingStore },
      { to: '/api-keys', key: 'apiKeys', icon: IconKey, needs: 'users:read' },
      { to: '/programs', key: 'programs', icon: IconAppWindow, needs: 'users:read' },
      { to: '/plans', key: 'plans', icon: IconGauge, needs: 'users:read' },
      { to: '/usage', key: 'usage', icon: IconChartBar, needs: 'users:read' },
    ],
  },
  {
    key: 'administration',
    places: [
      { to: '/organizations', key: 'organizations', icon: IconBuilding, needs: 'organizations:read' },
      { to: '/users', key: 'users', icon: IconUsers, needs: 'users:read' },
      { to: '/permissions', key: 'permissions', icon: IconUsersGroup, needs: 'users:read' },
      { to: '/user-stores', key: 'userStores', icon: IconAddressBook, needs: 'users:read' },
      { to: '/identity-providers', key: 'identityProviders', icon: IconLogin2, needs: 'users:read' },
      { to: '/tasks', key: 'tasks', icon: IconActivity },
      { to: '/audit', key: 'audit', icon: IconHistory, needs: 'audit:read' },
      { to: '/system-log', key: 'systemLog', icon: IconListDetails, needs: 'installation:manage' },
    ],
  },
]

/** Places that stand outside the rail but can be gone to from the palette. */
export const OTHERS: Destination[] = [
  { to: '/connect', key: 'connect', icon: IconPlugConnected, needs: 'devices:manage' },
  { to: '/log-collectors', key: 'collectors', icon: IconCloudUpload, needs: 'installation:manage' },
  { to: '/settings', key: 'settings', icon: IconSettings },
]
