import type { Me, Permission } from '@/api/types'

/**
 * Whether grants hold `permission` in an organization, or anywhere where none is given.
 *
 * `wholly` asks for all of the organization, not some of its applications.
 */
export function holds(
  grants: Me['grants'],
  permission: Permission,
  organizationId?: string | null,
  { wholly = false } = {},
): boolean {
  return grants.some(
    (grant) =>
      grant.permissions.includes(permission) &&
      (!wholly || grant.applicationIds === null) &&
      (!grant.organizationId || !organizationId || grant.organizationId === organizationId),
  )
}
