"""Devices as they were: kept before each change, and put in the place of the present.

A statement about devices becomes one about an instant gone by through two common table expressions
that bear the names of the tables it reads, `devices` and `device_contacts`, and so hide them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, delete, func, literal, or_, select, text
from sqlalchemy import tuple_ as pair
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..model import Device, DeviceFilter, Seen
from ..tables import (
    PLACE,
    device_courses,
    device_removals,
    device_versions,
    devices,
)

# Less than this is the noise of a receiver: about 22 metres, in degrees of latitude.
MOVED_DEGREES = 0.0002
# The place of a device on the move is written down this often.
PLACE_EVERY = timedelta(minutes=5)

_OWN = [c.name for c in device_versions.c if c.name not in ("number", "until", "identifiers")]
_COURSE = [c.name for c in device_courses.c if c.name not in ("number", "until")]


def _names(of: str, names: Collection[str]) -> str:
    return ", ".join(f'{of}."{name}"' if of else f'"{name}"' for name in names)


# --- Writing ------------------------------------------------------------------

# Two that change one device may have read the clock in the other order than they got its lock.
_KEEP = f"""
INSERT INTO device_versions (number, until, {_names("", _OWN)}, identifiers)
SELECT d.number,
    greatest(CAST(:now AS timestamptz), (
        SELECT max(v.until) + interval '1 microsecond' FROM device_versions v
        WHERE v.number = d.number
    )),
    {_names("d", _OWN)},
    coalesce((
        SELECT jsonb_agg(jsonb_build_array(i.kind, i.value, i.network) ORDER BY i.kind)
        FROM device_identifiers i WHERE i.device_id = d.id
    ), '[]')
FROM devices d WHERE {{where}}
"""


def keeping(where: str) -> str:
    """Write the statement that keeps devices `d` as they are; `:now` is until when they are so."""
    return _KEEP.format(where=where)


async def keep(tx: Tx, where: str, **given: Any) -> None:
    """Keep devices `d` as they are; called before they change."""
    await tx.execute(keeping(where), {"now": tx.now, **given})


_NOTE = f"""
WITH news AS (
    SELECT c.number, c.connected, c.last_seen_at, c.silent_since, {_names("d", PLACE)}
    FROM device_contacts c JOIN devices d USING (number) LEFT JOIN device_noted n USING (number)
    WHERE {{among}} AND (
        n.number IS NULL
        OR c.connected <> n.connected
        OR (c.silent_since IS NULL) <> (n.silent_since IS NULL)
        OR (c.last_seen_at IS NULL) <> (n.last_seen_at IS NULL)
        OR (d.longitude IS NULL) <> (n.longitude IS NULL)
        OR (n.since <= CAST(:moved_before AS timestamptz) AND (
            abs(d.latitude - n.latitude) > :far
            OR abs(d.longitude - n.longitude) * cos(radians(d.latitude)) > :far))
    )
    FOR KEY SHARE OF d SKIP LOCKED
), kept AS (
    INSERT INTO device_courses (number, until, {_names("", _COURSE)})
    SELECT n.number, greatest(CAST(:now AS timestamptz), n.since + interval '1 microsecond'),
        {_names("n", _COURSE)}
    FROM device_noted n JOIN news USING (number)
)
INSERT INTO device_noted AS n (number, since, {_names("", _COURSE)})
SELECT number, :now, {_names("", _COURSE)} FROM news ORDER BY number
ON CONFLICT (number) DO UPDATE SET
    since = greatest(excluded.since, n.since + interval '1 microsecond'),
    ({_names("", _COURSE)}) = ({_names("excluded", _COURSE)})
"""


async def note(tx: Tx, numbers: Collection[int] | None = None) -> None:
    """Write down contacts and places that differ from what was written last.

    Args:
        tx: the transaction.
        numbers: of devices whose place was set, to which every difference counts; None looks at
            all, and passes over small moves and those soon after the one before.
    """
    given: dict[str, Any] = {"now": tx.now}
    if numbers is None:
        given |= {"moved_before": tx.now - PLACE_EVERY, "far": MOVED_DEGREES}
        await tx.execute(_NOTE.format(among="true"), given)
    elif numbers:
        given |= {"moved_before": tx.now, "far": 0.0, "numbers": list(numbers)}
        await tx.execute(_NOTE.format(among="c.number = ANY(CAST(:numbers AS integer[]))"), given)


async def note_removal(tx: Tx, removed: Collection[Device]) -> None:
    """Write down that there were these devices."""
    rows = [
        {
            "id": device.id,
            "application_id": device.application_id,
            "organization_id": device.organization_id,
            "created_at": device.created_at,
            "removed_at": tx.now,
        }
        for device in removed
    ]
    if rows:
        await tx.execute(insert(device_removals), rows)


async def forget(tx: Tx, before: datetime) -> None:
    """Delete what tells of nothing later than `before`."""
    for each in (device_versions, device_courses):
        await tx.execute(delete(each).where(each.c.until < before))
    await tx.execute(delete(device_removals).where(device_removals.c.removed_at < before))


# --- Reading ------------------------------------------------------------------

_WHO_SEES = """
    (d.organization_id = ANY(CAST(:organizations AS uuid[]))
        OR d.application_id = ANY(CAST(:applications AS uuid[]))
        OR d.owner_id = CAST(:me AS uuid) AND d.organization_id = ANY(CAST(:own_in AS uuid[])))
    AND (w.organization_id = ANY(CAST(:organizations AS uuid[]))
        OR (w.organization_id, w.application_id) IN (
            SELECT * FROM unnest(CAST(:homes AS uuid[]), CAST(:places AS uuid[])))
        OR w.owner_id = CAST(:me AS uuid) AND w.organization_id = ANY(CAST(:own_in AS uuid[])))
"""


_NEXT_COURSE = """
    SELECT {columns} FROM device_courses c
    WHERE n.since > :then AND c.number = n.number AND c.until > :then
    ORDER BY c.until LIMIT 1
"""
_JOINED = f"LEFT JOIN LATERAL ({_NEXT_COURSE.format(columns='*')}) c ON true"


def _at_then(names: Collection[str], *, joined: bool) -> str:
    """Take each column of what was noted, or of the course if that was noted later.

    Looked up for each column PostgreSQL does it for the rows of a page only; joined, once for all.
    """

    def later(name: str) -> str:
        return f"c.{name}" if joined else f"({_NEXT_COURSE.format(columns=f'c.{name}')})"

    return ", ".join(
        f"CASE WHEN n.since > :then THEN {later(name)} ELSE n.{name} END AS {name}"
        for name in names
    )


_DEVICES_THEN = f"""
SELECT o.number, {_names("o", _OWN)}, {{place}}
FROM (
    SELECT d.number, {_names("d", _OWN)} FROM devices d
    WHERE d.created_at <= :then AND NOT EXISTS (
        SELECT FROM device_versions v WHERE v.number = d.number AND v.until > :then)
    UNION ALL
    SELECT w.number, {_names("w", _OWN)} FROM (
        SELECT DISTINCT ON (v.number) v.* FROM device_versions v
        WHERE v.until > :then ORDER BY v.number, v.until
    ) w JOIN devices d USING (number)
    WHERE d.created_at <= :then AND {{who_sees}}
) o
LEFT JOIN device_noted n ON n.number = o.number
{{course}}
"""
_CONTACTS_THEN = "SELECT n.number, {contact} FROM device_noted n {course}"
_CONTACT = ("connected", "last_seen_at", "silent_since")


def shown(
    query: Select[Any], at: datetime, seen: Seen, *, all_places: bool, all_contacts: bool
) -> Select[Any]:
    """Have a statement about devices tell of an instant gone by.

    A device that was elsewhere then is there for those who may see both where it is and where it
    was; the statement itself still asks for the latter.

    Args:
        query: the statement; it may read `devices` and `device_contacts`.
        at: the instant.
        seen: whose devices the caller may see.
        all_places: whether the statement asks where every device is.
        all_contacts: whether it asks for the contact of every device.
    """
    given: dict[str, Any] = {"then": at}
    who_sees = "true"
    if not seen.reach.everywhere:
        who_sees = _WHO_SEES
        given |= {
            "organizations": list(seen.reach.organization_ids),
            "applications": list(seen.reach.application_ids),
            "homes": [organization_id for organization_id, _ in seen.places],
            "places": [application_id for _, application_id in seen.places],
            "me": seen.reach.owner_id,
            "own_in": list(seen.reach.own_in),
        }
    then = _DEVICES_THEN.format(
        who_sees=who_sees,
        place=_at_then(PLACE, joined=all_places),
        course=_JOINED if all_places else "",
    )
    contacts = _CONTACTS_THEN.format(
        contact=_at_then(_CONTACT, joined=all_contacts), course=_JOINED if all_contacts else ""
    )
    return query.add_cte(
        # The contacts come first, as they must not see the devices of that time.
        *(
            text(hiding).bindparams(**bound).columns().cte(name).prefix_with("NOT MATERIALIZED")
            for name, hiding, bound in (
                ("device_contacts", contacts, {"then": at}),
                ("devices", then, given),
            )
        )
    )


def identifiers_then(at: datetime, present: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give a device's identifiers of an instant; `present` where it was not changed since."""
    v = device_versions.c
    kept = (
        select(v.identifiers)
        .where(v.number == devices.c.number, v.until > literal(at, DateTime(True)))
        .order_by(v.until)
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(kept, func.to_jsonb(present))


async def count_removed(tx: Tx, seen: Seen, wanted: DeviceFilter, at: datetime) -> int:
    """Count devices there were then and are no longer; narrowed by whose they were only."""
    c = device_removals.c
    query = select(func.count()).where(c.created_at <= at, c.removed_at > at)
    if not seen.reach.everywhere:
        query = query.where(_saw(seen))
    if wanted.organization_id is not None:
        query = query.where(c.organization_id == wanted.organization_id)
    if wanted.application_ids:
        query = query.where(c.application_id.in_(wanted.application_ids))
    count: int = (await tx.execute(query)).scalar_one()
    return count


async def removed_at(tx: Tx, seen: Seen, device_id: UUID) -> datetime | None:
    """Tell when a device was removed; None if it never was, or the caller could not see it."""
    c = device_removals.c
    query = select(c.removed_at).where(c.id == device_id)
    if not seen.reach.everywhere:
        query = query.where(_saw(seen))
    at: datetime | None = (await tx.execute(query)).scalar_one_or_none()
    return at


def _saw(seen: Seen) -> ColumnElement[bool]:
    c = device_removals.c
    return or_(
        c.organization_id.in_(seen.reach.organization_ids),
        pair(c.organization_id, c.application_id).in_(seen.places),
    )
