"""The rules of applications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from moorage import notifications, organizations
from moorage.kit import pages
from moorage.kit.caller import Caller, Reach
from moorage.kit.db import Tx
from moorage.kit.facts import difference, merged
from moorage.organizations import Kept, Permission, Quota

from . import store
from .errors import ApplicationUnknown, DatesReversed
from .facts import ApplicationChanged, ApplicationMade, ApplicationMoved, ApplicationRemoved
from .model import Application, ApplicationFilter, NewApplication


async def make(tx: Tx, caller: Caller, new: NewApplication) -> Application:
    """Make an application; permission groups that take new ones get it.

    Raises:
        OrganizationUnknown, PermissionMissing, ApplicationNameTaken, DatesReversed.
    """
    await organizations.get(tx, caller, new.organization_id)
    organizations.require(caller, Permission.MANAGE_APPLICATIONS, new.organization_id)
    if new.start_date and new.end_date and new.end_date < new.start_date:
        raise DatesReversed
    application = await store.add(tx, new)
    if new.quotas:
        await organizations.ring_for_quotas(tx)
    if new.units:
        await store.ring_for_units(tx)
    await organizations.take_in_application(tx, new.organization_id, application.id)
    tx.announce(ApplicationMade(application.id, new.organization_id, after=asdict(new)))
    return application


async def get(tx: Tx, caller: Caller, application_id: UUID, *, lock: bool = False) -> Application:
    """Read an application the caller may see. Raises ApplicationUnknown."""
    application = await store.get(tx, application_id, lock=lock)
    if not caller.may(Permission.READ_APPLICATIONS, application.organization_id, application_id):
        raise ApplicationUnknown(id=application_id)
    return application


async def list_applications(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: ApplicationFilter
) -> pages.Page[Application]:
    """List the applications the caller may see."""
    seen = caller.reach(Permission.READ_APPLICATIONS)
    return await store.list_applications(tx, seen, asked, wanted)


async def change(
    tx: Tx, caller: Caller, application_id: UUID, changes: Mapping[str, Any]
) -> Application:
    """Change an application's fields; metadata, units and quotas are merged.

    Its quotas are for those who manage all applications of the organisation.

    Raises:
        ApplicationUnknown, PermissionMissing, ApplicationNameTaken, DatesReversed.
    """
    before = await get(tx, caller, application_id, lock=True)
    organizations.require(
        caller, Permission.MANAGE_APPLICATIONS, before.organization_id, application_id
    )
    if "quotas" in changes:  # Not for whoever manages this one application only.
        organizations.require(caller, Permission.MANAGE_APPLICATIONS, before.organization_id)
    for name in ("metadata", "units", "quotas"):
        if name in changes:
            changes = {**changes, name: merged(getattr(before, name), changes[name])}
    after = await store.change(tx, application_id, changes)
    if "quotas" in changes:
        await organizations.ring_for_quotas(tx)
    if before.units != after.units:
        await store.ring_for_units(tx)
    if before.end_date != after.end_date:
        await notifications.clear(tx, notifications.NoticeKind.APPLICATION_ENDED, [application_id])
    was, now = difference(_view(before), _view(after))
    tx.announce(ApplicationChanged(application_id, before.organization_id, was, now))
    return after


async def units(tx: Tx) -> dict[UUID, Mapping[str, str]]:
    """Read the units of every application that names some; for the message path."""
    return await store.units(tx)


async def quotas(tx: Tx) -> dict[UUID, Mapping[Quota, int]]:
    """Read the quotas of every application that has one; for doors."""
    return await store.quotas(tx)


async def quota(tx: Tx, application_id: UUID, what: Quota) -> int | None:
    """Read a quota, held until the transaction ends so that two cannot use up the same rest."""
    return await store.quota(tx, application_id, what)


async def move(tx: Tx, caller: Caller, application_id: UUID, organization_id: UUID) -> Application:
    """Hand an application to another organisation; its devices follow in the same statement.

    Whoever held rights in it through the old organisation's groups loses them. The slice of
    devices calls this, since doors have to hear of it.

    Raises:
        ApplicationUnknown, OrganizationUnknown, PermissionMissing, ApplicationNameTaken.
    """
    before = await get(tx, caller, application_id, lock=True)
    organizations.require(caller, Permission.MANAGE_APPLICATIONS, before.organization_id)
    await organizations.get(tx, caller, organization_id)
    organizations.require(caller, Permission.MANAGE_APPLICATIONS, organization_id)
    if organization_id == before.organization_id:
        return before
    after = await store.change(tx, application_id, {"organization_id": organization_id})
    await organizations.hand_over_application(tx, organization_id, application_id)
    await notifications.move_application(tx, application_id, organization_id)
    fields = {"organizationId": before.organization_id}, {"organizationId": organization_id}
    # One entry in each organisation's log, since neither may read the other's.
    tx.announce(ApplicationMoved(application_id, before.organization_id, *fields))
    tx.announce(ApplicationMoved(application_id, organization_id, *fields))
    return after


async def remove(tx: Tx, caller: Caller, application_id: UUID) -> None:
    """Remove an application that owns no device any more; the slice of devices calls this.

    Raises:
        ApplicationUnknown, PermissionMissing.
    """
    before = await get(tx, caller, application_id)
    organizations.require(
        caller, Permission.MANAGE_APPLICATIONS, before.organization_id, application_id
    )
    await notifications.clear(tx, notifications.NoticeKind.APPLICATION_ENDED, [application_id])
    await store.remove(tx, application_id)
    tx.announce(ApplicationRemoved(application_id, before.organization_id, before=_view(before)))


async def notice_ends(tx: Tx) -> None:
    """Open a notice for each application whose end date has come where it is; for the schedule."""
    zones = await organizations.time_zones(tx)
    # Nowhere is it later than 14 hours after UTC.
    candidates = await store.ended(tx, (tx.now + timedelta(hours=14)).date())
    ended = [
        application
        for application in candidates
        if application.end_date is not None
        and application.end_date <= tx.now.astimezone(zones[application.organization_id]).date()
    ]
    await notifications.open_all(
        tx,
        [
            notifications.NewNotice(
                kind=notifications.NoticeKind.APPLICATION_ENDED,
                subject_kind=notifications.SubjectKind.APPLICATION,
                subject_id=application.id,
                subject_name=application.name,
                application_id=application.id,
                organization_id=application.organization_id,
                detail={"endDate": application.end_date},
            )
            for application in ended
        ],
    )


async def periods(tx: Tx, what: Kept) -> dict[UUID, timedelta]:
    """Tell by application how long something is kept, where it or its organisation says so.

    For schedules only; of facts, which belong to organisations, applications say nothing.
    """
    return await store.periods(tx, what, await organizations.periods(tx, what))


async def sending_json(tx: Tx, application_ids: Iterable[UUID]) -> set[UUID]:
    """Tell which applications have every command sent as JSON; the caller sees their devices."""
    return await store.sending_json(tx, application_ids)


async def silence_limits(tx: Tx) -> dict[UUID, timedelta]:
    """Tell after how long devices count as silent, by application; for the watch only."""
    return await store.silence_limits(tx)


async def ids_within(tx: Tx, reach: Reach) -> frozenset[UUID]:
    """List the applications that a caller's reach takes in; for doors."""
    return await store.ids_within(tx, reach) if reach else frozenset()


async def names_of(tx: Tx, application_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Name applications whose devices the caller was shown already."""
    return await store.names_of(tx, application_ids)


def _view(application: Application) -> dict[str, Any]:
    view = asdict(application)
    for key in ("created_at", "updated_at", "created_by", "updated_by", "device_count"):
        view.pop(key)
    return view
