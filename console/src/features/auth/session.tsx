import { useLocalStorage } from '@mantine/hooks'
import { createContext, type ReactNode, useCallback, useContext, useMemo } from 'react'
import type { Me, Permission } from '@/api/types'
import { holds } from './holds'

interface Session {
  me: Me
  /** The organization chosen in the rail; undefined means all of mine. */
  organizationId: string | undefined
  choose: (organizationId: string | undefined) => void
  /** Whether I hold a permission somewhere in reach: in the one given, else the chosen organization. */
  can: (permission: Permission, organizationId?: string | null) => boolean
}

const Context = createContext<Session | null>(null)

/** Keep who is signed in and which organization is looked at. */
export function SessionProvider({ me, children }: { me: Me; children: ReactNode }) {
  const [chosen, setChosen] = useLocalStorage<string>({
    key: 'moorage.organization',
    defaultValue: '',
    getInitialValueInEffect: false,
  })
  const only = useOnlyOrganization(me)
  const organizationId = chosen || only
  const can = useCallback(
    (permission: Permission, organization?: string | null) =>
      holds(me.grants, permission, organization ?? organizationId),
    [me, organizationId],
  )
  const value = useMemo(
    () => ({ me, organizationId, choose: (id: string | undefined) => setChosen(id ?? ''), can }),
    [me, organizationId, setChosen, can],
  )
  return <Context.Provider value={value}>{children}</Context.Provider>
}

function useOnlyOrganization(me: Me): string | undefined {
  const named = [...new Set(me.grants.map((grant) => grant.organizationId))]
  return named.length === 1 && named[0] ? named[0] : undefined
}

export function useSession(): Session {
  const session = useContext(Context)
  if (!session) throw new Error('No session here: this page stands outside the frame.')
  return session
}
