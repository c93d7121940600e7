"""The rules of operations; doors and workers claim and report without a caller."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from moorage import devices
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx, to_json
from moorage.kit.facts import Fact
from moorage.organizations import Permission, require

from . import store
from .errors import (
    AlreadyFinished,
    DeviceTakesNone,
    OperationUnknown,
    PayloadTooLarge,
    ReportMalformed,
    ResultTooLarge,
    TooManyPending,
)
from .facts import OperationCancelled, OperationIssued, OperationReported, OperationTimedOut
from .model import (
    ANSWERED,
    OPEN,
    REPORTED,
    Claimed,
    NewOperation,
    Operation,
    OperationFilter,
    OperationState,
)

log = structlog.get_logger()
_json = msgspec.json.Decoder().decode

MOST_PAYLOAD = 16_384
MOST_RESULT = 65_536
MOST_OPEN = 100
MOST_CLAIMED = 500
# What was sent and not taken is sent again after this; devices tell repeats by the id.
AGAIN_AFTER = timedelta(seconds=30)
KEEP_FINISHED = timedelta(days=365)


async def issue(tx: Tx, caller: Caller, device_id: UUID, new: NewOperation) -> Operation:
    """Ask something of a device; it is sent as soon as the device can be reached.

    Raises:
        DeviceUnknown, PermissionMissing, DeviceTakesNone, PayloadTooLarge, TooManyPending.
    """
    size = len(to_json(new.payload).encode())
    if size > MOST_PAYLOAD:
        raise PayloadTooLarge(size=size, limit=MOST_PAYLOAD)
    device = await devices.get(tx, caller, device_id, Permission.OPERATE_DEVICES, lock=True)
    if device.state not in devices.SENDING:
        raise DeviceTakesNone(state=device.state.value)
    if await store.count_open(tx, device.number) >= MOST_OPEN:
        raise TooManyPending(limit=MOST_OPEN)
    operation = await store.add(
        tx,
        new,
        device_id=device_id,
        number=device.number,
        application_id=device.application_id,
        organization_id=device.organization_id,
    )
    tx.announce(_fact(OperationIssued, operation))
    return operation


async def get(tx: Tx, caller: Caller, operation_id: UUID, *, lock: bool = False) -> Operation:
    """Read an operation. Raises OperationUnknown."""
    operation = await store.get(tx, operation_id, lock=lock)
    if not caller.may(Permission.READ_DEVICES, operation.organization_id, operation.application_id):
        raise OperationUnknown(id=operation_id)
    return operation


async def list_operations(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: OperationFilter
) -> pages.Page[Operation]:
    """List the operations of the devices the caller may see. Raises DeviceUnknown."""
    if wanted.device_id is not None:
        await devices.get(tx, caller, wanted.device_id)
    seen = caller.reach(Permission.READ_DEVICES)
    return await store.list_operations(tx, seen, asked, wanted)


async def cancel(tx: Tx, caller: Caller, operation_id: UUID) -> Operation:
    """Call an operation off; a device that has it already may still carry it out.

    Raises:
        OperationUnknown, PermissionMissing, AlreadyFinished.
    """
    before = await get(tx, caller, operation_id, lock=True)
    require(caller, Permission.OPERATE_DEVICES, before.organization_id, before.application_id)
    if before.state not in OPEN:
        raise AlreadyFinished(state=before.state.value)
    after = await store.cancel(tx, operation_id)
    tx.announce(_fact(OperationCancelled, after))
    return after


# --- For doors and workers --------------------------------------------------


async def claim(tx: Tx, numbers: Iterable[int], limit: int = MOST_CLAIMED) -> list[Claimed]:
    """Take what waits for these devices and mark it sent, the oldest first.

    Two listeners never get the same operation at once. What is claimed and not `delivered` within
    30 s is claimed again with a greater `attempts`, so that a crash in between loses nothing; the
    device tells a repeat by its id. The doorbell channel is `moorage_operations`; its payload is
    the device's number.
    """
    return await store.claim(tx, numbers, limit=limit, again_after=AGAIN_AFTER)


async def unclaim(tx: Tx, operation_ids: Iterable[UUID]) -> None:
    """Put back what could not be handed over, so that the next claim gets it at once."""
    await store.unclaim(tx, operation_ids)


async def delivered(tx: Tx, operation_ids: Iterable[UUID]) -> None:
    """Note what devices have taken: PUBACK, or written to a device that gives none."""
    await store.delivered(tx, operation_ids)


async def report(
    tx: Tx,
    number: int,
    operation_id: UUID,
    state: OperationState,
    result: Any = None,
    problem: str | None = None,
) -> bool:
    """Store what a device says of an operation of its own; False if that was known already.

    Raises:
        OperationUnknown: the device has no such operation.
        ReportMalformed: a device cannot say this.
        ResultTooLarge: the result is over 64 KiB of JSON.
    """
    if state not in REPORTED:
        raise ReportMalformed(states=", ".join(sorted(REPORTED)))
    if (size := len(to_json(result).encode())) > MOST_RESULT:
        raise ResultTooLarge(size=size, limit=MOST_RESULT)
    operation = await store.report(tx, number, operation_id, state, result, problem)
    if operation is None:
        if not await store.is_of(tx, number, operation_id):
            raise OperationUnknown(id=operation_id)
        return False
    if state in ANSWERED:
        tx.announce(_fact(OperationReported, operation))
    return True


def read_report(body: Any) -> tuple[OperationState, Any, str | None]:
    """Read the body of `v1/op/{id}/result`: `{"state": …, "result": …, "problem": …}`.

    Anything else than an object with a state is the result of a completed operation.

    Raises:
        ReportMalformed: the state is none a device can report.
    """
    if not isinstance(body, dict) or "state" not in body:
        return OperationState.COMPLETED, body, None
    problem = body.get("problem")
    if body["state"] not in REPORTED or not (problem is None or isinstance(problem, str)):
        raise ReportMalformed(states=", ".join(sorted(REPORTED)))
    return OperationState(body["state"]), body.get("result"), problem and problem[:1000]


async def report_sent(
    tx: Tx, number: int, channel: str, payload: bytes, *, only_answers: bool = False
) -> None:
    """Store what a device sent to `v1/op/{id}/result`; `channel` is `op/{id}/result`.

    What cannot be understood is logged and passed over, since the device has its receipt already.
    With `only_answers`, what ends no operation is passed over as well.
    """
    try:
        operation_id = UUID(channel.split("/")[1])
        state, result, problem = read_report(_body(payload))
        if state in ANSWERED or not only_answers:
            await report(tx, number, operation_id, state, result, problem)
    except (ValueError, OperationUnknown, ReportMalformed, ResultTooLarge) as wrong:
        log.warning("operation_report_refused", device=number, error=str(wrong))


def _body(payload: bytes) -> Any:
    """Read a report's body: JSON, or text if it is none; without NUL, which no column takes."""
    text = payload.replace(b"\0", b"").decode("utf-8", "replace")
    try:
        body = _json(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return text.replace("\\u0000", "") if "\\u0000" in text else body


async def end_overdue(tx: Tx) -> None:
    """End what was not taken or answered in time; for the schedule only."""
    for operation in await store.end_overdue(tx, MOST_CLAIMED):
        tx.announce(_fact(OperationTimedOut, operation))


async def trim(tx: Tx) -> int:
    """Forget what was finished a year ago; for the schedule only."""
    return await store.remove_finished(tx, tx.now - KEEP_FINISHED)


def _fact(kind: type[Fact], operation: Operation) -> Fact:
    # The payload may carry a secret meant for the device, and is kept with the operation.
    told = {
        "deviceId": operation.device_id,
        "kind": operation.kind,
        "code": operation.code,
        "state": operation.state,
    }
    return kind(operation.id, operation.organization_id, after=told)
