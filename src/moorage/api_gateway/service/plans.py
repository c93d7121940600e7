"""Plans: of the installation, made by GlobalAdmins, and of an organisation, for its programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.facts import difference
from moorage.organizations import Permission

from ..errors import PlanInUse, PlanTooWide, PlanUnknown
from ..facts import PlanChanged, PlanMade, PlanRemoved
from ..model import NewPlan, Plan
from ..store import plans as store
from .register import Plans

_FIELDS = tuple(field.name for field in fields(NewPlan))


async def make(tx: Tx, caller: Caller, held: Plans, new: NewPlan) -> Plan:
    """Make a plan.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, PlanNameTaken.
        PlanTooWide: it would give more than the organization has itself.
    """
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    require(caller, new.organization_id)
    _refuse_wider(held, new)
    made = await store.add(tx, new)
    tx.announce(PlanMade(made.id, made.organization_id, after=_view(made)))
    return made


def require(caller: Caller, organization_id: UUID | None) -> None:
    """Refuse who may not administer plans there. Raises PermissionMissing, InstallationOnly."""
    organizations.require(caller, manages(organization_id), organization_id)


def manages(organization_id: UUID | None) -> Permission:
    """Name the permission that it takes to administer plans there."""
    if organization_id is None:
        return Permission.MANAGE_INSTALLATION
    return Permission.MANAGE_ORGANIZATION


async def get(tx: Tx, caller: Caller, plan_id: UUID, *, lock: bool = False) -> Plan:
    """Read a plan: the installation's are for everybody to see. Raises PlanUnknown."""
    found = await store.get(tx, plan_id, lock=lock)
    if found.organization_id is not None and not caller.belongs_to(found.organization_id):
        raise PlanUnknown(id=plan_id)
    return found


async def list_plans(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Plan]:
    """List the plans that the caller may see."""
    homes = frozenset(g.organization_id for g in caller.grants if g.organization_id is not None)
    everywhere = any(g.organization_id is None for g in caller.grants)
    return await store.list_plans(
        tx, asked, homes=None if everywhere else homes, organization_id=organization_id, q=q
    )


async def change(
    tx: Tx, caller: Caller, held: Plans, plan_id: UUID, changes: Mapping[str, Any]
) -> Plan:
    """Change a plan for everybody on it, at once.

    Raises:
        PlanUnknown, PermissionMissing, InstallationOnly, PlanNameTaken, PlanTooWide.
    """
    before = await get(tx, caller, plan_id)
    require(caller, before.organization_id)
    _refuse_wider(held, replace(before, **changes))
    after = await store.change(tx, plan_id, changes)
    was, now = difference(_view(before), _view(after))
    tx.announce(PlanChanged(plan_id, after.organization_id, was, now))
    return after


async def remove(tx: Tx, caller: Caller, plan_id: UUID) -> None:
    """Remove a plan that nobody is on, with what was asked about it.

    Raises:
        PlanUnknown, PermissionMissing, InstallationOnly, PlanInUse.
    """
    # Locked, so that nobody subscribes to it meanwhile.
    found = await get(tx, caller, plan_id, lock=True)
    require(caller, found.organization_id)
    if await store.is_in_use(tx, plan_id):
        raise PlanInUse
    await store.remove(tx, plan_id)
    tx.announce(PlanRemoved(plan_id, found.organization_id, before=_view(found)))


def _refuse_wider(held: Plans, wanted: NewPlan) -> None:
    if wanted.organization_id is None:
        return
    most = held.most(wanted.organization_id)
    if wanted.requests_per_second > most.per_second or wanted.burst > most.burst:
        raise PlanTooWide(requests_per_second=most.per_second, burst=most.burst)


def _view(plan: Plan) -> dict[str, Any]:
    view = asdict(plan)
    return {name: view[name] for name in _FIELDS if name != "organization_id"}
