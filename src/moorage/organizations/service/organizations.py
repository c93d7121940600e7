"""The rules of organisations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from moorage.kit import pages
from moorage.kit.caller import Caller, Reach
from moorage.kit.db import Tx, to_json
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference, merged

from .. import store
from ..errors import (
    OrganizationUnknown,
)
from ..facts import (
    OrganizationChanged,
    OrganizationDissolved,
    OrganizationFounded,
    PermissionGroupMade,
    group_view,
)
from ..model import (
    Kept,
    NewOrganization,
    NewPermissionGroup,
    Organization,
    Permission,
    Quota,
    Role,
)
from .rights import require

# Of one organisation's settings, as JSON; each list of organisations carries them.
MOST_SETTINGS_BYTES = 16_384
READY_MADE = (
    ("Readers", (Role.READ,)),
    ("Application administrators", (Role.APPLICATION_ADMIN, Role.READ)),
    (
        "Organization administrators",
        (Role.USER_ADMIN, Role.APPLICATION_ADMIN, Role.GATEWAY_ADMIN, Role.READ),
    ),
)


async def found(tx: Tx, caller: Caller, new: NewOrganization) -> Organization:
    """Found an organisation with its three ready-made permission groups.

    Raises:
        PermissionMissing: only a GlobalAdmin founds organisations.
        OrganizationNameTaken: the name is in use.
        FieldInvalid: the settings are too large.
    """
    require(caller, Permission.MANAGE_INSTALLATION, None)
    _check_settings(new.settings)
    organization = await store.add(tx, new)
    if new.quotas:
        await store.ring_for_quotas(tx)
    tx.announce(OrganizationFounded(organization.id, organization.id, after=asdict(new)))
    for name, roles in READY_MADE:
        group = await store.add_group(tx, NewPermissionGroup(organization.id, name, roles))
        tx.announce(PermissionGroupMade(group.id, organization.id, after=group_view(group)))
    return organization


async def get(tx: Tx, caller: Caller, organization_id: UUID, *, lock: bool = False) -> Organization:
    """Read an organisation the caller belongs to. Raises OrganizationUnknown."""
    if not caller.belongs_to(organization_id):
        raise OrganizationUnknown(id=organization_id)
    return await store.get(tx, organization_id, lock=lock)


async def list_organizations(
    tx: Tx, caller: Caller, asked: pages.PageRequest, q: str | None = None
) -> pages.Page[Organization]:
    """List the organisations the caller belongs to."""
    everywhere = any(g.organization_id is None for g in caller.grants)
    ids = frozenset(g.organization_id for g in caller.grants if g.organization_id is not None)
    return await store.list_organizations(tx, Reach(everywhere, ids), asked, q)


async def change(
    tx: Tx, caller: Caller, organization_id: UUID, changes: Mapping[str, Any]
) -> Organization:
    """Change an organisation's fields; settings and quotas are merged, where None removes one.

    Quotas are for GlobalAdmins.

    Raises:
        OrganizationUnknown, PermissionMissing, OrganizationNameTaken.
        FieldInvalid: the settings are too large.
    """
    before = await get(tx, caller, organization_id, lock=True)
    require(caller, Permission.MANAGE_ORGANIZATION, organization_id)
    if "quotas" in changes:
        require(caller, Permission.MANAGE_INSTALLATION, None)
    for name in ("settings", "quotas"):
        if name in changes:
            changes = {**changes, name: merged(getattr(before, name), changes[name])}
    _check_settings(changes.get("settings", {}))
    after = await store.change(tx, organization_id, changes)
    if "quotas" in changes:
        await store.ring_for_quotas(tx)
    was, now = difference(asdict(before), {k: asdict(after)[k] for k in changes})
    tx.announce(OrganizationChanged(organization_id, organization_id, was, now))
    return after


async def quotas(tx: Tx) -> dict[UUID, Mapping[Quota, int]]:
    """Read the quotas of every organisation that has one; for doors."""
    return await store.quotas(tx)


async def quota(tx: Tx, organization_id: UUID, what: Quota) -> int | None:
    """Read a quota, held until the transaction ends so that two cannot use up the same rest."""
    return await store.quota(tx, organization_id, what)


async def ring_for_quotas(tx: Tx) -> None:
    """Tell the doors that a quota has changed."""
    await store.ring_for_quotas(tx)


async def dissolve(tx: Tx, caller: Caller, organization_id: UUID) -> None:
    """Remove an organisation that owns nothing any more.

    Raises:
        OrganizationUnknown, PermissionMissing, OrganizationInUse.
    """
    before = await get(tx, caller, organization_id)
    require(caller, Permission.MANAGE_INSTALLATION, None)
    await store.remove(tx, organization_id)
    tx.announce(
        OrganizationDissolved(organization_id, organization_id, before={"name": before.name})
    )


async def periods(tx: Tx, what: Kept) -> dict[UUID, timedelta]:
    """Tell how long something is kept, of the organisations that say so; for schedules only."""
    return await store.periods(tx, what)


async def time_zones(tx: Tx) -> dict[UUID, ZoneInfo]:
    """Tell the time zone of every organisation; for schedules only."""
    return {id_: ZoneInfo(name) for id_, name in (await store.time_zones(tx)).items()}


def _check_settings(settings: Mapping[str, Any]) -> None:
    if (size := len(to_json(settings).encode())) > MOST_SETTINGS_BYTES:
        raise FieldInvalid(
            "/settings",
            f"would be {size} bytes of JSON; at most {MOST_SETTINGS_BYTES} are kept.",
        )
