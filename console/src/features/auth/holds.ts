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

/** What of a permission group says whom it is for. */
interface Bounds {
  organizationId: string | null
  everyApplication: boolean
  addNewApplications: boolean
  ownDevices: boolean
  applicationIds: string[]
}

/** Whether a group only shares applications that somebody manages, with people they see. */
export function shares(grants: Me['grants'], group: Bounds): boolean {
  const home = group.organizationId
  const manages = (id: string) =>
    grants.some(
      (grant) =>
        grant.permissions.includes('applications:manage') &&
        (!grant.organizationId || grant.organizationId === home) &&
        (grant.applicationIds === null || grant.applicationIds.includes(id)),
    )
  return (
    home !== null &&
    !group.everyApplication &&
    !group.addNewApplications &&
    !group.ownDevices &&
    group.applicationIds.length > 0 &&
    holds(grants, 'users:read', home, { wholly: true }) &&
    group.applicationIds.every(manages)
  )
}
