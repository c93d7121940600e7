"""Receipts: that a message was accepted or given up, when, and for how long that is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from moorage import devices, ledger, telemetry
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.copying import from_us
from moorage.kit.db import Opened, Tx
from moorage.organizations import Permission

from .. import store
from ..facts import ReceiptsExported
from ..model import (
    DeliveryState,
    MessageDelivery,
    Receipt,
    ReceiptOutcome,
    Target,
    WantedReceipts,
)
from . import catalogue
from .expand import key_of

EXPORTED_AT_ONCE = 5_000
MOST_TARGETS = 500


async def list_receipts(
    tx: Tx,
    caller: Caller,
    target_id: UUID,
    wanted: WantedReceipts,
    asked: pages.PageRequest,
    *,
    oldest_first: bool = False,
) -> pages.Page[Receipt]:
    """Read a page of a target's receipts, newest first; a short page may have a next one.

    Raises:
        TargetUnknown, DeviceUnknown, CursorInvalid.
    """
    await catalogue.get(tx, caller, target_id)
    device = None
    if wanted.device_id is not None:
        device = (await devices.get(tx, caller, wanted.device_id)).number
    page = await store.list_receipts(
        tx, target_id, wanted, device=device, limit=asked.limit, after=asked.after,
        oldest_first=oldest_first,
    )  # fmt: skip
    return pages.Page(await _named(tx, page.items), page.next)


async def export_receipts(
    opened: Opened, target_id: UUID, wanted: WantedReceipts
) -> AsyncIterator[Sequence[Receipt]]:
    """Give a target's receipts in batches, the oldest first.

    Each batch is a transaction of its own, read with the rights the caller has by then.

    Raises:
        TargetUnknown, DeviceUnknown: they are gone meanwhile, or their right is.
    """
    after = None
    while True:
        asked = pages.PageRequest(EXPORTED_AT_ONCE, after)
        async with opened() as (tx, caller):
            page = await list_receipts(tx, caller, target_id, wanted, asked, oldest_first=True)
        if page.items:
            yield page.items
        if (after := page.next) is None:
            return


async def note_export(tx: Tx, caller: Caller, target_id: UUID, wanted: WantedReceipts) -> None:
    """Announce that the caller downloads receipts. Raises TargetUnknown, DeviceUnknown."""
    target = await catalogue.get(tx, caller, target_id)
    if wanted.device_id is not None:
        await devices.get(tx, caller, wanted.device_id)
    after = {"from": wanted.start, "to": wanted.end, "deviceId": wanted.device_id}
    tx.announce(ReceiptsExported(target_id, target.organization_id, after=after))


async def deliveries_of(
    tx: Tx, caller: Caller, device_id: UUID, partition: int, n: int
) -> list[MessageDelivery]:
    """Tell what became of a message at each target the caller may see, by their names.

    These are the targets of the device's application, and others that have receipts of it.

    Raises:
        DeviceUnknown, PermissionMissing, PositionGone.
    """
    _row, raw = await telemetry.message(tx, caller, device_id, partition, n)
    device = await devices.get(tx, caller, device_id)
    message_id, received_at = UUID(bytes=raw.id), from_us(raw.received_us)
    by_target: dict[UUID, list[Receipt]] = {}
    # A door's clock may be a little ahead.
    for receipt in await store.receipts_of(tx, message_id, received_at - timedelta(hours=1)):
        by_target.setdefault(receipt.target_id, []).append(receipt)
    targets = await store.targets_among(
        tx, caller.reach(Permission.READ_TARGETS), device.application_id, by_target,
        most=MOST_TARGETS,
    )  # fmt: skip
    routes = await store.routes_of(tx, [target.id for target in targets if target.pending])
    found = []
    for target in targets:
        receipts = await _named(tx, by_target.get(target.id, []))
        last = {receipt.key: receipt for receipt in receipts}
        waiting_at = None
        if target.pending:
            new = [key_of(route, str(message_id)) for route in routes[target.id]]
            new = [key for key in new if key not in last]
            waiting_at = await _waiting_since(tx, target, device.number, new, received_at, last)
        state, at = _state(tx, target, received_at, waiting_at, receipts)
        found.append(MessageDelivery(target.id, target.name, state, at, tuple(receipts)))
    return found


async def _waiting_since(
    tx: Tx,
    target: Target,
    device: int,
    new: Sequence[UUID],
    received_at: datetime,
    last: dict[UUID, Receipt],
) -> datetime | None:
    """Tell since when the message waits, for the first time or, once given up, again."""
    again = [r for r in last.values() if r.outcome is ReceiptOutcome.DEAD]
    asked = [(list(new), received_at)] if new else []
    if again:
        asked.append(([r.key for r in again], min(r.at for r in again)))
    found = [await store.waiting_since(tx, target.id, device, *one) for one in asked]
    return min((at for at in found if at is not None), default=None)


def _state(
    tx: Tx,
    target: Target,
    received_at: datetime,
    waiting_at: datetime | None,
    receipts: Sequence[Receipt],
) -> tuple[DeliveryState, datetime | None]:
    """Sum up one target: it waits, or else the newest receipt says what came of it."""
    if waiting_at is not None:
        return DeliveryState.WAITING, waiting_at
    if receipts:
        return DeliveryState(receipts[-1].outcome.value), receipts[-1].at
    kept_from = tx.now - timedelta(days=target.receipt_days)
    if target.created_at <= received_at and (target.receipt_days == 0 or received_at < kept_from):
        return DeliveryState.UNKNOWN, None
    return DeliveryState.NOT_CONNECTED, None


async def _named(tx: Tx, receipts: Sequence[Receipt]) -> list[Receipt]:
    """Add the devices' ids and names, as far as they are there."""
    contexts = await devices.context_of(tx, {receipt.device for receipt in receipts})
    return [
        replace(receipt, device_id=context.id, device_name=context.name)
        if (context := contexts.get(receipt.device)) is not None
        else receipt
        for receipt in receipts
    ]


async def make_days(tx: Tx) -> None:
    """Make the partitions that receipts need: from yesterday to 3 days ahead."""
    today = tx.now.date()
    first, last = today - timedelta(days=1), today + timedelta(days=3)
    await ledger.make_day_tables(tx, [store.RECEIPTS_TABLE], first, last)


async def drop_old_receipts(tx: Tx) -> None:
    """Drop the days that no target keeps any more; of others, what its target does not keep.

    Days are whole UTC days; the receipts of a target that was removed go too.
    """
    today = tx.now.date()
    for day in await ledger.day_tables(tx, store.RECEIPTS_TABLE):
        if day > today:
            break
        present = await store.targets_on(tx, day)
        kept = await store.receipt_days(tx)
        age = (today - day).days
        if age > max(kept.values(), default=0) and age > 1:
            # Yesterday's may still be written by a transaction that began then.
            await ledger.drop_day_table(tx, store.RECEIPTS_TABLE, day)
        elif past := [one for one in present if not kept.get(one) or age > kept[one]]:
            await store.forget_receipts(tx, day, past)
