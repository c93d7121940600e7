"""Tenants, and who may do what in them."""

from .errors import OrganizationUnknown, PermissionGroupUnknown, PermissionMissing
from .facts import (
    OrganizationDissolved,
    PermissionGranted,
    PermissionGroupChanged,
    PermissionGroupRemoved,
    PermissionRevoked,
)
from .model import MemberKind, NewOrganization, NewPermissionGroup, Organization, Permission, Role
from .service import (
    found,
    get,
    get_group,
    grant,
    grants_held,
    hand_over_application,
    list_organizations,
    make_first_admin,
    make_group,
    may,
    require,
    revoke,
    take_in_application,
)

__all__ = [
    "MemberKind",
    "NewOrganization",
    "NewPermissionGroup",
    "Organization",
    "OrganizationDissolved",
    "OrganizationUnknown",
    "Permission",
    "PermissionGranted",
    "PermissionGroupChanged",
    "PermissionGroupRemoved",
    "PermissionGroupUnknown",
    "PermissionMissing",
    "PermissionRevoked",
    "Role",
    "found",
    "get",
    "get_group",
    "grant",
    "grants_held",
    "hand_over_application",
    "list_organizations",
    "make_first_admin",
    "make_group",
    "may",
    "require",
    "revoke",
    "take_in_application",
]
