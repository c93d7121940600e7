import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router'
import type { ComponentType } from 'react'
import { meQuery } from '@/features/auth/queries'
import { SignIn } from '@/features/auth/SignIn'
import { loadWords } from '@/i18n'
import { preferencesQuery } from '@/parts/preferences'
import { Lost } from '@/shell/Lost'
import { Root } from '@/shell/Root'

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: Root,
  notFoundComponent: Lost,
})

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  component: SignIn,
})

const phone = createRoute({
  getParentRoute: () => root,
  path: '/phone',
  component: lazyRouteComponent(() => import('@/features/phone/Phone'), 'Phone'),
})

/** Where programs and devices send people; only who is signed in can answer. */
const asked = (
  [
    ['/oauth/authorize', 'Allow'],
    ['/oauth/device', 'AllowDevice'],
  ] as const
).map(([path, name]) =>
  createRoute({
    getParentRoute: () => root,
    path,
    component: lazyRouteComponent(() => import('@/features/oauth/Allow'), name),
    beforeLoad: async ({ context }) => {
      if (await context.client.ensureQueryData(meQuery)) return
      // As it came, since what a program says twice must not become once.
      const to = window.location.pathname + window.location.search
      throw redirect({ to: '/sign-in', search: { to } as never })
    },
  }),
)

const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: lazyRouteComponent(() => import('@/shell/SignedIn'), 'SignedIn'),
  beforeLoad: async ({ context, location }) => {
    const me = await context.client.ensureQueryData(meQuery)
    if (!me) throw redirect({ to: '/sign-in', search: { to: location.href } as never })
    void context.client.prefetchQuery(preferencesQuery)
  },
})

/** Load a page with the words that only it has. */
async function withWords<T>(words: Parameters<typeof loadWords>[0], page: Promise<T>): Promise<T> {
  await loadWords(words)
  return page
}

/** The address of every page and where its code lies; each is loaded when first visited. */
const PAGES = [
  ['/', () => import('@/features/overview/Overview'), 'Overview'],
  ['/start', () => import('@/features/overview/Welcome'), 'Welcome'],
  ['/connect', () => import('@/features/connect/Connect'), 'Connect'],
  ['/import', () => import('@/features/connect/ImportPage'), 'ImportPage'],
  ['/notices', () => import('@/features/notifications/Notices'), 'Notices'],
  ['/devices', () => import('@/features/devices/Devices'), 'Devices'],
  ['/devices/$id', () => import('@/features/devices/DevicePage'), 'DevicePage'],
  ['/map', () => import('@/features/devices/MapPage'), 'MapPage'],
  ['/applications', () => import('@/features/groups/Applications'), 'Applications'],
  ['/applications/$id', () => import('@/features/groups/ApplicationPage'), 'ApplicationPage'],
  ['/inbox', () => import('@/features/ingest/Inbox'), 'Inbox'],
  ['/messages', () => import('@/features/telemetry/AllMessages'), 'AllMessages'],
  ['/connections', () => import('@/features/sessions/Connections'), 'Connections'],
  ['/refusals', () => import('@/features/ingest/Refusals'), 'Refusals'],
  ['/decoders', () => import('@/features/decoders/Decoders'), 'Decoders'],
  ['/decoders/$id', () => import('@/features/decoders/DecoderPage'), 'DecoderPage'],
  ['/brokers', () => import('@/features/brokers/Brokers'), 'Brokers'],
  ['/brokers/$id', () => import('@/features/brokers/BrokerPage'), 'BrokerPage'],
  ['/sources', () => import('@/features/sources/Sources'), 'Sources'],
  ['/sources/$id', () => import('@/features/sources/SourcePage'), 'SourcePage'],
  ['/targets', () => import('@/features/targets/Targets'), 'Targets'],
  ['/targets/$id', () => import('@/features/targets/TargetPage'), 'TargetPage'],
  ['/operations', () => import('@/features/operations/Operations'), 'Operations'],
  ['/organizations', () => import('@/features/organizations/Organizations'), 'Organizations'],
  ['/organizations/$id', () => import('@/features/organizations/OrganizationPage'), 'OrganizationPage'],
  ['/users', () => import('@/features/users/Users'), 'Users'],
  ['/permissions', () => import('@/features/organizations/PermissionGroups'), 'PermissionGroups'],
  ['/permissions/$id', () => import('@/features/organizations/GroupPage'), 'GroupPage'],
  ['/user-stores', () => import('@/features/user_stores/UserStores'), 'UserStores'],
  ['/user-stores/$id', () => import('@/features/user_stores/UserStorePage'), 'UserStorePage'],
  [
    '/identity-providers',
    () => withWords('providers', import('@/features/identity_providers/IdentityProviders')),
    'IdentityProviders',
  ],
  [
    '/identity-providers/$id',
    () => withWords('providers', import('@/features/identity_providers/IdentityProviderPage')),
    'IdentityProviderPage',
  ],
  ['/apis', () => withWords('apis', import('@/features/api_gateway/Apis')), 'Apis'],
  ['/apis/$id', () => withWords('apis', import('@/features/api_gateway/ApiPage')), 'ApiPage'],
  ['/plans', () => withWords('apis', import('@/features/api_gateway/Plans')), 'Plans'],
  ['/usage', () => withWords('apis', import('@/features/api_gateway/Usage')), 'Usage'],
  ['/api-keys', () => import('@/features/users/ApiKeys'), 'ApiKeys'],
  ['/programs', () => import('@/features/oauth/Programs'), 'Programs'],
  ['/tasks', () => import('@/features/tasks/Tasks'), 'Tasks'],
  ['/audit', () => import('@/features/audit/Audit'), 'Audit'],
  ['/system-log', () => import('@/features/audit/SystemLog'), 'SystemLog'],
  ['/log-collectors', () => import('@/features/audit/Collectors'), 'Collectors'],
  ['/settings', () => import('@/features/users/Settings'), 'Settings'],
] as const

const pages = PAGES.map(([path, load, name]) =>
  createRoute({
    getParentRoute: () => inside,
    path,
    component: lazyRouteComponent(load as () => Promise<Record<string, ComponentType>>, name),
  }),
)

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([signIn, phone, ...asked, inside.addChildren(pages)]),
    context: { client },
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
    // Addresses stay readable: every parameter is plain text.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const text = new URLSearchParams(search as Record<string, string>).toString()
      return text ? `?${text}` : ''
    },
  })
}
