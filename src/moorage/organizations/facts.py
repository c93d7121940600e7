"""What is announced about organisations and permissions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from moorage.kit.facts import Fact

from .model import Member, PermissionGroup


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


def group_view(group: PermissionGroup) -> dict[str, Any]:
    """Give what facts carry of a permission group."""
    view = asdict(group)
    for key in ("created_at", "updated_at", "created_by", "updated_by", "member_count"):
        view.pop(key)
    return view


def member_view(member: Member) -> dict[str, Any]:
    """Give what facts carry of a member of one."""
    view = {"kind": member.kind.value, "id": str(member.id)}
    return view if member.until is None else {**view, "until": member.until}
