"""Trying a target out: reach it, or send it one message and see both sides."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from moorage import decoders, devices, ledger, telemetry
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.ids import uuid7
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from .. import store
from ..errors import RouteUnknown
from ..facts import TargetTested
from ..model import Content, Delivery, NewTrial, Result, Route, Source, Target, Trial
from . import catalogue
from .decoding import Deriver, content_of


async def ping(
    database: Database,
    caller: Caller,
    target_id: UUID,
    kinds: catalogue.Kinds,
    sealer: Sealer,
    network: Outbound,
) -> Result:
    """Tell whether a target can be reached; no transaction is open meanwhile.

    Raises:
        TargetUnknown, PermissionMissing, TargetKindUnknown, FieldInvalid, TargetUnreachable.
    """
    async with database.begin(caller) as tx:
        target = await catalogue.to_manage(tx, caller, target_id)
        secrets = await catalogue.secrets_of(tx, target_id, sealer)
    sender = await catalogue.open_sender(target, secrets, kinds, network, trial=True)
    try:
        return await sender.ping()
    finally:
        await sender.close()


async def try_out(
    database: Database,
    caller: Caller,
    target_id: UUID,
    wanted: NewTrial,
    kinds: catalogue.Kinds,
    sealer: Sealer,
    network: Outbound,
    deriver: Deriver,
    turns: decoders.Turns,
) -> Trial:
    """Send one message under a key of its own; it is logged, and counts in no statement.

    A stored message is decoded as its route does it, in the caller's turn to try decoders.

    Raises:
        TargetUnknown, DeviceUnknown, RouteUnknown, PermissionMissing, TargetKindUnknown,
        FieldInvalid, TargetUnreachable, TrialsTooMany, TrialTooLong.
        DecodeFailed: there is no document to send.
        PositionGone: the stored message is past its retention.
    """
    async with database.begin(caller) as tx:
        target = await catalogue.to_manage(tx, caller, target_id)
        secrets = await catalogue.secrets_of(tx, target_id, sealer)
        content = await _wanted(tx, caller, target, wanted)
    if isinstance(content, _Stored):
        async with turns.take(caller):
            content = await _decoded(deriver, content)
    delivery = Delivery(str(uuid7()), content)
    sender = await catalogue.open_sender(target, secrets, kinds, network, trial=True)
    try:
        request = sender.show(delivery)
        (result,) = await sender.send([delivery])
    finally:
        await sender.close()
    async with database.begin(caller) as tx:
        attempt = (datetime.now(UTC), content, delivery.key, 1, result)
        await store.log_attempts(tx, target_id, [attempt])
        tx.announce(
            TargetTested(
                target_id,
                target.organization_id,
                after={"outcome": result.outcome, "key": delivery.key},
            )
        )
    return Trial(request, result)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A stored message that a test shall send, and how."""

    device: devices.Device
    message: ledger.RawMessage
    source: Source
    decoder_id: UUID | None


async def _wanted(tx: Tx, caller: Caller, target: Target, wanted: NewTrial) -> Content | _Stored:
    """Find what a test shall send: a content, or a message that has yet to be decoded."""
    device = None
    if wanted.device_id is not None:
        device = await devices.get(tx, caller, wanted.device_id)
        if device.application_id != target.application_id:
            raise FieldInvalid("/deviceId", "must be a device of the target's application")
    if device is not None and wanted.document is None:
        route = await _route_for(tx, target, device, wanted.route_id)
        message = await _found(tx, caller, device, wanted.position)
        if route is None:
            return _Stored(device, message, Source.DOCUMENT, None)
        return _Stored(device, message, route.source, route.decoder_id)
    now_us = time.time_ns() // 1000
    return Content(
        str(uuid7()),
        str(UUID(int=0) if device is None else device.id),
        "test" if device is None else device.name,
        str(target.application_id),
        now_us,
        now_us,
        document=msgspec.json.encode(wanted.document or {}),
    )


async def _route_for(
    tx: Tx, target: Target, device: devices.Device, route_id: UUID | None
) -> Route | None:
    """Give the route asked for, else the oldest one that takes the device, if there is any."""
    if route_id is not None:
        route = await store.get_route(tx, route_id)
        if route.target_id != target.id:
            raise RouteUnknown(id=route_id)
        return route
    for route in await store.enabled_routes(tx, target.id):
        named = route.device_ids is None or device.id in route.device_ids
        if named and set(route.tags) <= set(device.tags):
            return route
    return None


async def _found(
    tx: Tx, caller: Caller, device: devices.Device, position: str | None
) -> ledger.RawMessage:
    """Find a message of the device, the newest if none is named."""
    found: tuple[telemetry.MessageRow, ledger.RawMessage | None]
    if position is not None:
        place = telemetry.Place.read(position)
        if place is None:
            raise FieldInvalid("/position", "must be the position of one of the device's messages")
        found = await telemetry.message(tx, caller, device.id, place.partition, place.n)
    else:
        newest = await telemetry.messages(tx, caller, device.id, pages.PageRequest(limit=1))
        if not newest.items:
            raise FieldInvalid("/deviceId", "has sent nothing yet; send `document` instead")
        found = newest.items[0]
    received = found[1]
    if received is None:
        raise FieldInvalid(
            "/position", "is no message of this device that is still kept; send `document` instead"
        )
    return received


async def _decoded(deriver: Deriver, stored: _Stored) -> Content:
    """Make of a stored message what its route would send. Raises DecodeFailed."""
    message = stored.message
    if stored.decoder_id is not None:
        ((derived, _failure),) = await deriver.with_decoders([(message, stored.decoder_id)])
    else:
        (derived,) = await deriver([(0, message)])
    device = stored.device
    content = content_of(derived, str(device.id), device.name, str(device.application_id))
    if stored.source is Source.RAW:
        content = msgspec.structs.replace(
            content,
            document=None,
            readings=(),
            payload=message.payload,
            content_type=message.content_type,
        )
    elif content.document is None:
        reason = derived.problem or "it returned nothing for this message"
        raise decoders.DecodeFailed(reason=reason)
    return content
