"""What is announced about organisations and permissions."""

from moorage.kit.facts import Fact


class OrganizationFounded(Fact):
    """An organization came to be."""

    name = "organizations.founded"


class OrganizationChanged(Fact):
    """An organization's fields changed."""

    name = "organizations.changed"


class OrganizationDissolved(Fact):
    """An organization was removed."""

    name = "organizations.dissolved"


class PermissionGroupMade(Fact):
    """A permission group came to be."""

    name = "organizations.permission_group_made"


class PermissionGroupChanged(Fact):
    """A permission group's fields, roles or applications changed."""

    name = "organizations.permission_group_changed"


class PermissionGroupRemoved(Fact):
    """A permission group was removed."""

    name = "organizations.permission_group_removed"


class PermissionGranted(Fact):
    """A member joined a permission group."""

    name = "organizations.permission_granted"


class PermissionRevoked(Fact):
    """A member left a permission group."""

    name = "organizations.permission_revoked"
