"""Who may do what with a thing, by which path, until when."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Given, Permission

from ..model import Access, Path
from ..store import access as store


async def explain(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    organization_id: UUID,
    application_id: UUID | None = None,
    permission: Permission | None = None,
) -> pages.Page[Access]:
    """List who may do what with an application and its devices, or with an organisation itself.

    Args:
        tx: the transaction.
        caller: may read the organisation's users.
        asked: the page.
        organization_id: where.
        application_id: the application that the thing is or is in.
        permission: tell only of those who hold it there.

    Raises:
        OrganizationUnknown, PermissionMissing, CursorInvalid, FieldInvalid.
    """
    given = await organizations.given_at(tx, caller, organization_id, application_id)
    by_id = {g.group_id: g for g in given}
    page = await store.list_members(tx, given, permission, asked)
    return pages.Page([_access(member, by_id) for member in page.items], page.next, page.total)


def _access(member: store.Member, given: Mapping[UUID, Given]) -> Access:
    held = {
        group_id: group.permissions
        if member.scopes is None
        else frozenset(p for p in group.permissions if p.value in member.scopes)
        for group_id, group in given.items()
        if group_id in member.group_ids
    }
    paths = []
    for group_id, permissions in held.items():
        others = frozenset().union(*(p for other, p in held.items() if other != group_id))
        group = given[group_id]
        paths.append(
            Path(
                group_id,
                group.name,
                group.organization_id,
                group.roles,
                _in_order(permissions),
                _in_order(permissions - others),
            )
        )
    everything = _in_order(frozenset().union(*held.values()))
    return Access(member.kind, member.id, member.label, member.until, everything, tuple(paths))


def _in_order(permissions: frozenset[Permission]) -> tuple[Permission, ...]:
    return tuple(p for p in Permission if p in permissions)
