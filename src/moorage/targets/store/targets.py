"""Targets and routes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, any_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..errors import RouteUnknown, TargetNameTaken, TargetUnknown
from ..model import (
    Comparison,
    Condition,
    Health,
    HealthState,
    NewRoute,
    NewTarget,
    Route,
    Sampling,
    Source,
    Target,
)
from ..tables import (
    target_health,
    target_letters,
    target_log,
    target_outbox,
    target_routes,
    targets,
)

_PLAIN = tuple(c.name for c in targets.c if c.name not in ("secret_names", "sealed_secrets"))


# Counting what waits stops here: the statement tells the exact number.
MOST_COUNTED = 10_000


def _query() -> Select[Any]:
    waiting = (
        select(target_outbox.c.n)
        .where(target_outbox.c.target_id == targets.c.id)
        .limit(MOST_COUNTED)
        .correlate(targets)
        .lateral()
    )
    pending = select(func.count()).select_from(waiting).scalar_subquery().label("pending")
    letters = (
        select(func.count())
        .where(target_letters.c.target_id == targets.c.id)
        .scalar_subquery()
        .label("dead_letters")
    )
    health = [c.label(f"health_{c.name}") for c in target_health.c if c.name != "target_id"]
    return select(targets, pending, letters, *health).outerjoin(
        target_health, target_health.c.target_id == targets.c.id
    )


def _target(row: Any) -> Target:
    health = Health()
    if row.health_state is not None:
        health = Health(
            HealthState(row.health_state),
            row.health_since,
            row.health_accepted_at,
            row.health_failed_at,
            row.health_error,
            row.health_retry_at,
        )
    return Target(
        **{name: getattr(row, name) for name in _PLAIN},
        secrets=tuple(row.secret_names),
        health=health,
        pending=row.pending,
        dead_letters=row.dead_letters,
    )


def _limited(query: Select[Any], table: Table, seen: Reach) -> Select[Any]:
    if seen.everywhere:
        return query
    return query.where(
        or_(
            table.c.organization_id.in_(seen.organization_ids),
            table.c.application_id.in_(seen.application_ids),
        )
    )


async def add(
    tx: Tx, target_id: UUID, organization_id: UUID, new: NewTarget, sealed: bytes | None
) -> Target:
    """Insert `new`. Raises TargetNameTaken."""
    values = asdict(new)
    names = sorted(values.pop("secrets"))
    made = (
        await tx.execute(
            insert(targets)
            .values(
                id=target_id,
                organization_id=organization_id,
                **values,
                secret_names=names,
                sealed_secrets=sealed,
                paused=False,
                **tx.stamp(),
            )
            .on_conflict_do_nothing(
                index_elements=[targets.c.application_id, func.lower(targets.c.name)]
            )
            .returning(targets.c.id)
        )
    ).scalar_one_or_none()
    if made is None:
        raise TargetNameTaken(name=new.name)
    return await get(tx, target_id)


async def get(tx: Tx, target_id: UUID, *, lock: bool = False) -> Target:
    """Read one. Raises TargetUnknown."""
    query = _query().where(targets.c.id == target_id)
    if lock:
        query = query.with_for_update(of=targets)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise TargetUnknown(id=target_id)
    return _target(row)


async def list_targets(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    application_id: UUID | None = None,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Target]:
    """Read a page of what `seen` allows."""
    query = _limited(_query(), targets, seen)
    if application_id is not None:
        query = query.where(targets.c.application_id == application_id)
    if organization_id is not None:
        query = query.where(targets.c.organization_id == organization_id)
    if q:
        query = query.where(targets.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"name": func.lower(targets.c.name), "createdAt": targets.c.created_at},
        default="name",
        key=targets.c.id,
        read=_target,
    )


async def targets_among(
    tx: Tx, seen: Reach, application_id: UUID, target_ids: Collection[UUID], *, most: int
) -> list[Target]:
    """Read an application's targets and those with an id, as far as `seen` allows, by name."""
    query = _limited(_query(), targets, seen).where(
        or_(targets.c.application_id == application_id, targets.c.id.in_(target_ids))
    )
    rows = await tx.execute(query.order_by(func.lower(targets.c.name), targets.c.id).limit(most))
    return [_target(row) for row in rows]


async def change(tx: Tx, target_id: UUID, changes: Mapping[str, Any]) -> Target:
    """Change columns. Raises TargetUnknown, TargetNameTaken."""
    statement = update(targets).where(targets.c.id == target_id).values(**changes, **tx.restamp())
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as taken:
        raise TargetNameTaken(name=changes.get("name")) from taken
    return await get(tx, target_id)


async def remove(tx: Tx, target_id: UUID) -> None:
    """Delete one with its routes and all that waits for it."""
    await tx.execute(delete(targets).where(targets.c.id == target_id))
    for table in (target_outbox, target_log):
        await tx.execute(delete(table).where(table.c.target_id == target_id))


async def sealed_secrets(tx: Tx, target_id: UUID) -> bytes | None:
    """Read the sealed secrets of a target."""
    found: bytes | None = (
        await tx.execute(select(targets.c.sealed_secrets).where(targets.c.id == target_id))
    ).scalar_one_or_none()
    return found


async def lock_sealed(tx: Tx) -> list[tuple[UUID, bytes]]:
    """Read the sealed secrets of all targets, which nobody changes meanwhile."""
    query = select(targets.c.id, targets.c.sealed_secrets).where(
        targets.c.sealed_secrets.is_not(None)
    )
    rows = await tx.execute(query.order_by(targets.c.id).with_for_update())
    return [(row.id, row.sealed_secrets) for row in rows]


async def put_sealed(tx: Tx, target_id: UUID, sealed: bytes) -> None:
    """Replace how a target's secrets are sealed."""
    await tx.execute(update(targets).where(targets.c.id == target_id).values(sealed_secrets=sealed))


# --- Routes ---------------------------------------------------------------


def _route(row: Any) -> Route:
    values = {c.name: getattr(row, c.name) for c in target_routes.c}
    values["source"] = Source(row.source)
    values["device_ids"] = None if row.device_ids is None else tuple(row.device_ids)
    values["tags"] = tuple(row.tags)
    values["conditions"] = tuple(
        Condition(c["field"], Comparison(c["comparison"]), c.get("value")) for c in row.conditions
    )
    values["sampling"] = Sampling(**row.sampling)
    return Route(**values)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a route's nouns into what its columns hold."""
    columns = dict(values)
    for name in ("device_ids", "tags", "conditions"):
        if columns.get(name) is not None:
            columns[name] = list(columns[name])
    return columns


async def add_route(tx: Tx, route_id: UUID, target: Target, new: NewRoute) -> Route:
    """Insert `new`."""
    row = (
        await tx.execute(
            insert(target_routes)
            .values(
                id=route_id,
                organization_id=target.organization_id,
                application_id=target.application_id,
                **_columns(asdict(new)),
                **tx.stamp(),
            )
            .returning(target_routes)
        )
    ).one()
    return _route(row)


async def get_route(tx: Tx, route_id: UUID, *, lock: bool = False) -> Route:
    """Read one. Raises RouteUnknown."""
    query = select(target_routes).where(target_routes.c.id == route_id)
    if lock:
        query = query.with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise RouteUnknown(id=route_id)
    return _route(row)


async def list_routes(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    target_id: UUID | None = None,
    application_id: UUID | None = None,
    device_id: UUID | None = None,
) -> pages.Page[Route]:
    """Read a page of what `seen` allows."""
    query = _limited(select(target_routes), target_routes, seen)
    if target_id is not None:
        query = query.where(target_routes.c.target_id == target_id)
    if application_id is not None:
        query = query.where(target_routes.c.application_id == application_id)
    if device_id is not None:
        query = query.where(any_(target_routes.c.device_ids) == device_id)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(target_routes.c.name),
            "createdAt": target_routes.c.created_at,
        },
        default="name",
        key=target_routes.c.id,
        read=_route,
    )


async def change_route(tx: Tx, route_id: UUID, changes: Mapping[str, Any]) -> Route:
    """Change columns. Raises RouteUnknown."""
    row = (
        await tx.execute(
            update(target_routes)
            .where(target_routes.c.id == route_id)
            .values(**_columns(changes), **tx.restamp())
            .returning(target_routes)
        )
    ).one_or_none()
    if row is None:
        raise RouteUnknown(id=route_id)
    return _route(row)


async def remove_route(tx: Tx, route_id: UUID) -> None:
    """Delete one; what already waits is still delivered."""
    await tx.execute(delete(target_routes).where(target_routes.c.id == route_id))


async def enabled_routes(tx: Tx, target_id: UUID | None = None) -> Sequence[Route]:
    """Read every route that is switched on, or those of a target; the oldest first."""
    query = select(target_routes).where(target_routes.c.enabled).order_by(target_routes.c.id)
    if target_id is not None:
        query = query.where(target_routes.c.target_id == target_id)
    return [_route(row) for row in await tx.execute(query)]


async def routes_of(tx: Tx, target_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """List the routes of targets, those too that are switched off."""
    rows = await tx.execute(
        select(target_routes.c.id, target_routes.c.target_id).where(
            target_routes.c.target_id.in_(target_ids)
        )
    )
    found: dict[UUID, list[UUID]] = {target_id: [] for target_id in target_ids}
    for row in rows:
        found[row.target_id].append(row.id)
    return found


async def decoders_of(tx: Tx, target_id: UUID) -> dict[UUID, UUID]:
    """Tell which of a target's routes have a decoder of their own, and which."""
    rows = await tx.execute(
        select(target_routes.c.id, target_routes.c.decoder_id).where(
            target_routes.c.target_id == target_id, target_routes.c.decoder_id.is_not(None)
        )
    )
    return {row.id: row.decoder_id for row in rows}
