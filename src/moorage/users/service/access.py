"""Who may do what with a thing, by which path, until when."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Given, Permission

from ..model import Access, Path, Through
from ..store import access as store


async def explain(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    organization_id: UUID,
    application_id: UUID | None = None,
    owner_id: UUID | None = None,
    permission: Permission | None = None,
) -> pages.Page[Access]:
    """List who may do what with an application and its devices, or with an organisation itself.

    Args:
        tx: the transaction.
        caller: may read the organisation's users.
        asked: the page.
        organization_id: where.
        application_id: the application that the thing is or is in.
        owner_id: whose the device is that it is about.
        permission: tell only of those who hold it there.

    Raises:
        OrganizationUnknown, PermissionMissing, CursorInvalid, FieldInvalid.
    """
    given = await organizations.given_at(tx, caller, organization_id, application_id, owner_id)
    by_id = {g.group_id: g for g in given}
    page = await store.list_members(tx, given, owner_id, permission, asked)
    items = [_access(member, by_id, is_owner=member.id == owner_id) for member in page.items]
    return pages.Page(items, page.next, page.total)


def _access(member: store.Member, given: Mapping[UUID, Given], *, is_owner: bool) -> Access:
    plain = {id_: g.own for id_, g in given.items()}
    own = {id_: g.of_owner for id_, g in given.items()} if is_owner else plain
    if (scopes := member.scopes) is not None:
        own = {id_: frozenset(p for p in held if p.value in scopes) for id_, held in own.items()}
    above = {id_: g.above for id_, g in given.items()}
    mine = {id_: until for id_, until in member.groups.items() if id_ in given}
    everything = organizations.given_through(mine, own, above)
    paths = []
    for group_id, until in mine.items():
        group = given[group_id]
        here = organizations.given_through([group_id], own, above)
        without = organizations.given_through(mine, own, above, but=group_id)
        owning = here - organizations.given_through([group_id], plain, above) if is_owner else _NO
        through = tuple(
            Through(id_, given[id_].name, ends)
            for id_, ends in group.above.items()
            if id_ in given and organizations.given_through([id_], own, above)
        )
        paths.append(
            Path(
                group_id,
                group.name,
                group.organization_id,
                group.roles,
                _in_order(here),
                _in_order(here - without),
                _in_order(owning),
                until,
                through,
            )
        )
    label = member.label
    return Access(member.kind, member.id, label, member.until, _in_order(everything), tuple(paths))


_NO: frozenset[Permission] = frozenset()


def _in_order(permissions: frozenset[Permission]) -> tuple[Permission, ...]:
    return tuple(p for p in Permission if p in permissions)
