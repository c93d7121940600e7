"""Rules about topics: what devices may use beyond their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, delete, func, insert, or_, select, update

from moorage.kit.db import Tx, written
from moorage.kit.ids import uuid7

from ..errors import TopicRuleUnknown
from ..model import DeviceKind, NewTopicRule, TopicRule
from ..tables import device_topic_rules as rules
from ..tables import devices

_FIELDS = tuple(one.name for one in fields(TopicRule))


def _read(row: Any) -> TopicRule:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["device_kind"] = row.device_kind and DeviceKind(row.device_kind)
    return TopicRule(**values)


async def add(tx: Tx, application_id: UUID, organization_id: UUID, new: NewTopicRule) -> TopicRule:
    """Insert a rule."""
    rows = await tx.execute(
        insert(rules)
        .values(
            id=uuid7(),
            application_id=application_id,
            organization_id=organization_id,
            **asdict(new),
            **tx.stamp(),
        )
        .returning(rules)
    )
    return _read(rows.one())


async def get(tx: Tx, application_id: UUID, rule_id: UUID, *, lock: bool = False) -> TopicRule:
    """Read one. Raises TopicRuleUnknown."""
    query = select(rules).where(rules.c.id == rule_id, rules.c.application_id == application_id)
    if lock:
        query = query.with_for_update()
    if (row := (await tx.execute(query)).one_or_none()) is None:
        raise TopicRuleUnknown(id=rule_id)
    return _read(row)


async def list_of(tx: Tx, application_id: UUID) -> list[TopicRule]:
    """List an application's rules, the oldest first."""
    query = select(rules).where(rules.c.application_id == application_id).order_by(rules.c.id)
    return [_read(row) for row in await tx.execute(query)]


async def count(tx: Tx, application_id: UUID) -> int:
    """Count an application's rules."""
    query = select(func.count()).where(rules.c.application_id == application_id)
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def change(tx: Tx, rule_id: UUID, changes: Mapping[str, Any]) -> None:
    """Change columns of a rule."""
    await tx.execute(update(rules).where(rules.c.id == rule_id).values(**changes, **tx.restamp()))


async def remove(tx: Tx, rule_id: UUID) -> None:
    """Delete a rule."""
    await tx.execute(delete(rules).where(rules.c.id == rule_id))


async def remove_of(tx: Tx, device_id: UUID) -> None:
    """Delete the rules for one device."""
    await tx.execute(delete(rules).where(rules.c.device_id == device_id))


# Whole fleets come back at the same time.
_FOR = written(
    select(rules, devices.c.name, devices.c.serial, devices.c.id.label("for_device"))
    .join(devices, devices.c.application_id == rules.c.application_id)
    .where(
        devices.c.id == func.any(bindparam("devices", type_=ARRAY(Uuid))),
        or_(rules.c.device_id.is_(None), rules.c.device_id == devices.c.id),
        or_(rules.c.device_kind.is_(None), rules.c.device_kind == devices.c.kind),
        or_(rules.c.model.is_(None), rules.c.model == devices.c.model),
    )
    .order_by(rules.c.id)
)


async def rules_for(
    tx: Tx, device_ids: Collection[UUID]
) -> dict[UUID, list[tuple[TopicRule, dict[str, str]]]]:
    """List the rules that are for devices, each with what its places stand for."""
    found: dict[UUID, list[tuple[TopicRule, dict[str, str]]]] = {one: [] for one in device_ids}
    known: dict[UUID, TopicRule] = {}
    for row in await tx.rows(_FOR, {"devices": list(device_ids)}):
        if (rule := known.get(row.id)) is None:
            rule = known[row.id] = _read(row)
        places = {
            "deviceId": str(row.for_device),
            "name": row.name,
            "serial": row.serial or "",
            "applicationId": str(row.application_id),
            "organizationId": str(row.organization_id),
        }
        found[row.for_device].append((rule, places))
    return found


async def has_any(tx: Tx, application_id: UUID) -> bool:
    """Tell whether an application has rules."""
    query = select(rules.c.id).where(rules.c.application_id == application_id).limit(1)
    return (await tx.execute(query)).first() is not None
