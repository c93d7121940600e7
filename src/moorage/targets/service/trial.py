"""Trying a target out: reach it, or send it one message and see both sides."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from moorage import devices, ledger, telemetry
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.ids import uuid7
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from .. import store
from ..facts import TargetTested
from ..model import Content, Delivery, NewTrial, Result, Target, Trial
from . import catalogue


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
) -> Trial:
    """Send one message under a key of its own; it is logged, and counts in no statement.

    Raises:
        TargetUnknown, DeviceUnknown, PermissionMissing, TargetKindUnknown, FieldInvalid,
        TargetUnreachable.
        PositionGone: the stored message is past its retention.
    """
    async with database.begin(caller) as tx:
        target = await catalogue.to_manage(tx, caller, target_id)
        secrets = await catalogue.secrets_of(tx, target_id, sealer)
        content = await _content(tx, caller, target, wanted)
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


async def _content(tx: Tx, caller: Caller, target: Target, wanted: NewTrial) -> Content:
    now_us = time.time_ns() // 1000
    if wanted.device_id is None:
        document = msgspec.json.encode(wanted.document if wanted.document is not None else {})
        return Content(
            str(uuid7()), str(UUID(int=0)), "test", str(target.application_id), now_us, now_us,
            document=document,
        )  # fmt: skip
    device = await devices.get(tx, caller, wanted.device_id)
    if device.application_id != target.application_id:
        raise FieldInvalid("/deviceId", "must be a device of the target's application")
    if wanted.document is not None:
        return Content(
            str(uuid7()), str(device.id), device.name, str(device.application_id), now_us, now_us,
            document=msgspec.json.encode(wanted.document),
        )  # fmt: skip
    return await _stored(tx, caller, device, wanted.position)


async def _stored(tx: Tx, caller: Caller, device: devices.Device, position: str | None) -> Content:
    """Find a message of the device, the newest if none is named."""
    row, received = await _found(tx, caller, device, position)
    if received is None:
        raise FieldInvalid(
            "/position", "is no message of this device that is still kept; send `document` instead"
        )
    return Content(
        str(UUID(bytes=received.id)),
        str(device.id),
        device.name,
        str(device.application_id),
        int(row.at.timestamp() * 1_000_000),
        received.received_us,
        received.channel,
        _document(received.payload, row.values),
        tuple((name, value, None) for name, value in row.values.items()),
    )


async def _found(
    tx: Tx, caller: Caller, device: devices.Device, position: str | None
) -> tuple[telemetry.MessageRow, ledger.RawMessage | None]:
    if position is not None:
        place = telemetry.Place.read(position)
        if place is None:
            raise FieldInvalid("/position", "must be the position of one of the device's messages")
        return await telemetry.message(tx, caller, device.id, place.partition, place.n)
    newest = await telemetry.messages(tx, caller, device.id, pages.PageRequest(limit=1))
    if not newest.items:
        raise FieldInvalid("/deviceId", "has sent nothing yet; send `document` instead")
    return newest.items[0]


def _document(payload: bytes, values: object) -> bytes:
    """Give the document of a stored message: its JSON, else its values."""
    try:
        return msgspec.json.encode(msgspec.json.decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.encode(values)
