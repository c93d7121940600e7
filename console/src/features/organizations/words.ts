import type { Permission, Role } from '@/api/types'

export const ROLES: Role[] = [
  'GlobalAdmin',
  'OrganizationUserAdmin',
  'OrganizationGatewayAdmin',
  'OrganizationApplicationAdmin',
  'Read',
]

export const PERMISSIONS: Permission[] = [
  'organizations:read',
  'organizations:manage',
  'users:read',
  'users:manage',
  'audit:read',
  'applications:read',
  'applications:manage',
  'devices:read',
  'devices:manage',
  'devices:operate',
  'messages:read',
  'decoders:read',
  'decoders:manage',
  'targets:read',
  'targets:manage',
  'sources:read',
  'sources:manage',
  'gateways:read',
  'gateways:manage',
]
