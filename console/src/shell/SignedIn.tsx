import { Center, Loader } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { meQuery } from '@/features/auth/queries'
import { SessionProvider } from '@/features/auth/session'
import { chooseLanguage, LANGUAGES } from '@/i18n'
import { Failure } from '@/parts/Failure'
import { Said } from '@/parts/Said'
import { Frame } from './Frame'

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
      <Said />
      <Frame />
    </SessionProvider>
  )
}
