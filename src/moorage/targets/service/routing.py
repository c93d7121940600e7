"""Routes: which devices' messages go to which target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from moorage import decoders, organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from .. import store
from ..errors import RouteUnknown
from ..facts import RouteChanged, RouteMade, RouteRemoved
from ..model import Comparison, Condition, NewRoute, Route, Source
from . import catalogue

_ROOTS = ("document", "readings", "channel")
_ORDERED = (Comparison.GREATER, Comparison.AT_LEAST, Comparison.LESS, Comparison.AT_MOST)


async def connect(tx: Tx, caller: Caller, new: NewRoute) -> Route:
    """Make a route to a target, for devices of the target's application.

    Raises:
        TargetUnknown, PermissionMissing, FieldInvalid.
        DecoderUnknown: there is none, or another organisation's that is not shared.
    """
    target = await catalogue.to_manage(tx, caller, new.target_id)
    _check(new.conditions)
    _check_decoder(new.source, new.decoder_id)
    if new.decoder_id is not None:
        await decoders.hold_usable(tx, target.organization_id, new.decoder_id)
    route = await store.add_route(tx, uuid7(), target, new)
    tx.announce(RouteMade(route.id, route.organization_id, after=_view(route)))
    return route


async def get_route(tx: Tx, caller: Caller, route_id: UUID, *, lock: bool = False) -> Route:
    """Read a route the caller may see. Raises RouteUnknown."""
    route = await store.get_route(tx, route_id, lock=lock)
    if not caller.may(Permission.READ_TARGETS, route.organization_id, route.application_id):
        raise RouteUnknown(id=route_id)
    return route


async def list_routes(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    target_id: UUID | None = None,
    application_id: UUID | None = None,
    device_id: UUID | None = None,
) -> pages.Page[Route]:
    """List the routes the caller may see."""
    return await store.list_routes(
        tx,
        caller.reach(Permission.READ_TARGETS),
        asked,
        target_id=target_id,
        application_id=application_id,
        device_id=device_id,
    )


async def change_route(tx: Tx, caller: Caller, route_id: UUID, changes: Mapping[str, Any]) -> Route:
    """Change a route; its sampling is merged.

    Raises:
        RouteUnknown, PermissionMissing, FieldInvalid, DecoderUnknown.
    """
    before = await _to_manage(tx, caller, route_id)
    _check(changes.get("conditions", ()))
    decoder_id = changes.get("decoder_id", before.decoder_id)
    _check_decoder(changes.get("source", before.source), decoder_id)
    if decoder_id is not None and decoder_id != before.decoder_id:
        await decoders.hold_usable(tx, before.organization_id, decoder_id)
    columns = dict(changes)
    if "sampling" in columns:
        columns["sampling"] = replace(before.sampling, **columns["sampling"])
    for name in ("conditions", "sampling"):
        if name in columns:
            columns[name] = asdict_deep(columns[name])
    after = await store.change_route(tx, route_id, columns)
    was, now = difference(_view(before), _view(after))
    tx.announce(RouteChanged(route_id, before.organization_id, was, now))
    return after


async def remove_route(tx: Tx, caller: Caller, route_id: UUID) -> None:
    """Remove a route; what waits already is still delivered.

    Raises:
        RouteUnknown, PermissionMissing.
    """
    before = await _to_manage(tx, caller, route_id)
    await store.remove_route(tx, route_id)
    tx.announce(RouteRemoved(route_id, before.organization_id, before=_view(before)))


def asdict_deep(value: Any) -> Any:
    """Turn one noun, or a tuple of them, into what a JSON column holds."""
    return [asdict(one) for one in value] if isinstance(value, tuple) else asdict(value)


async def _to_manage(tx: Tx, caller: Caller, route_id: UUID) -> Route:
    route = await get_route(tx, caller, route_id)
    organizations.require(
        caller, Permission.MANAGE_TARGETS, route.organization_id, route.application_id
    )
    return route


def _check(conditions: tuple[Condition, ...]) -> None:
    for index, condition in enumerate(conditions):
        root = condition.field.partition(".")[0]
        if root not in _ROOTS or (root != "channel" and "." not in condition.field):
            raise FieldInvalid(
                f"/conditions/{index}/field",
                "must be channel, or begin with document. or readings.",
            )
        number = isinstance(condition.value, int | float) and not isinstance(condition.value, bool)
        if condition.comparison in _ORDERED and not number:
            raise FieldInvalid(
                f"/conditions/{index}/value", "must be a number, to be compared by size"
            )


def _check_decoder(source: Source, decoder_id: UUID | None) -> None:
    if source is Source.RAW and decoder_id is not None:
        raise FieldInvalid("/decoderId", "must be null where `source` is raw")


def _view(route: Route) -> dict[str, Any]:
    view = asdict(route)
    for name in ("created_at", "updated_at", "created_by", "updated_by"):
        view.pop(name)
    return view
