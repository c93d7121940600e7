import { Center, Loader } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Outlet, useNavigate, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { whenSignedOut } from '@/api/client'
import { meQuery } from '@/features/auth/queries'
import { SessionProvider } from '@/features/auth/session'
import { chooseLanguage, LANGUAGES } from '@/i18n'
import { Failure } from '@/parts/Failure'
import { Frame } from './Frame'

/** Move between the signed-in and the signed-out side as the session comes and goes. */
export function Root() {
  const client = useQueryClient()
  useEffect(() => whenSignedOut(() => client.setQueryData(meQuery.queryKey, null)), [client])
  return <Outlet />
}

/** Everything behind the sign-in. */
export function SignedIn() {
  const me = useQuery(meQuery)
  const go = useNavigate()
  const router = useRouter()
  const out = me.data === null
  useEffect(() => {
    if (out) void go({ to: '/sign-in', search: { to: router.state.location.href } as never })
  }, [out, go, router])
  const language = LANGUAGES.find((one) => one === me.data?.user?.language)
  useEffect(() => {
    if (language) void chooseLanguage(language)
  }, [language])
  if (me.error && !me.data) return <Failure of={me.error} retry={() => void me.refetch()} />
  if (!me.data) {
    return (
      <Center mih="100dvh">
        <Loader />
      </Center>
    )
  }
  return (
    <SessionProvider me={me.data}>
      <Frame />
    </SessionProvider>
  )
}
