"""What the groups that people are in outside give them here; for user stores and single sign-on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from uuid import UUID

import structlog

from moorage import organizations
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.organizations import LastAdmin, PermissionGroupUnknown

from ..model import Mapped

log = structlog.get_logger()


async def check_mappings(
    tx: Tx,
    caller: Caller,
    organization_id: UUID | None,
    wanted: Iterable[Mapped],
    before: Iterable[Mapped],
    key: Callable[[str], str] = str,
) -> None:
    """Check that the caller may give what mappings give, as far as it was not given before.

    Args:
        tx: the transaction.
        caller: who maps.
        organization_id: whose groups may be given; None gives those of all.
        wanted: the mappings as they are to be.
        before: as they are.
        key: gives the same for what means the same group outside.

    Raises:
        PermissionGroupUnknown, PermissionMissing, GrantTooWide, FieldInvalid.
    """
    held = {(key(one.group), id_) for one in before for id_ in one.permission_group_ids}
    for at, one in enumerate(wanted):
        for id_ in one.permission_group_ids:
            if (key(one.group), id_) in held:
                continue
            group = await organizations.givable(tx, caller, id_)
            if organization_id is not None and group.organization_id != organization_id:
                raise FieldInvalid(
                    f"/mappings/{at}/permissionGroupIds",
                    "must be permission groups of the same organization",
                )


def mapped_to(
    mappings: Iterable[Mapped], groups: Collection[str], key: Callable[[str], str] = str
) -> frozenset[UUID]:
    """Give the permission groups that go with groups outside, which are given as their keys."""
    return frozenset(
        id_ for one in mappings if key(one.group) in groups for id_ in one.permission_group_ids
    )


async def put_into(
    tx: Tx, user_id: UUID, wanted: frozenset[UUID], given: frozenset[UUID]
) -> frozenset[UUID]:
    """Put somebody into what they are mapped to, and out of what they were.

    What a hand gave stays, and is not counted among the given.

    Args:
        tx: the transaction.
        user_id: whom.
        wanted: what they are mapped to.
        given: what mappings gave so far.

    Returns:
        What mappings give from now on.
    """
    now = set(given)
    for id_ in sorted(wanted - given):
        try:
            if await organizations.enter(tx, id_, user_id):
                now.add(id_)
        except PermissionGroupUnknown:
            continue
    for id_ in sorted(given - wanted):
        try:
            async with tx.attempt():
                await organizations.leave(tx, id_, user_id)
            now.discard(id_)
        except LastAdmin:
            # Somebody has to be left who can mend it.
            log.warning("mapping_keeps_last_admin", user_id=str(user_id))
    return frozenset(now)
