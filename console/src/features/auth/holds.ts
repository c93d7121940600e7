import type { Me, Permission } from '@/api/types'

/** Whether grants hold `permission` in an organization, or anywhere where none is given. */
export function holds(grants: Me['grants'], permission: Permission, organizationId?: string | null): boolean {
  return grants.some(
    (grant) =>
      grant.permissions.includes(permission) &&
      (!grant.organizationId || !organizationId || grant.organizationId === organizationId),
  )
}
