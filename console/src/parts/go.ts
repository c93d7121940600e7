import { useRouter } from '@tanstack/react-router'
import { useCallback } from 'react'

/** Give the function that goes to an address of the console. */
export function useGo(): (address: string) => void {
  const router = useRouter()
  return useCallback((address: string) => router.history.push(address), [router])
}
