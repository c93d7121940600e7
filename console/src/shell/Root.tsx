import { useQueryClient } from '@tanstack/react-query'
import { Outlet } from '@tanstack/react-router'
import { useEffect } from 'react'
import { whenSignedOut } from '@/api/client'
import { meQuery } from '@/features/auth/queries'

/** Move between the signed-in and the signed-out side as the session comes and goes. */
export function Root() {
  const client = useQueryClient()
  useEffect(() => whenSignedOut(() => client.setQueryData(meQuery.queryKey, null)), [client])
  return <Outlet />
}
