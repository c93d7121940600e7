"""The rules of operations; doors and workers claim and report without a caller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from math import isfinite
from typing import Any
from uuid import UUID

import structlog

from moorage import devices, groups
from moorage.decoders import (
    DecodeFailure,
    DecoderNotChosen,
    EncodeContext,
    Encoded,
    EncodeJob,
    EncoderMissing,
    TrialTooLong,
    Workshop,
)
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx, to_json
from moorage.kit.errors import MoorageError
from moorage.kit.facts import Fact
from moorage.kit.formats import is_too_deep
from moorage.kit.reach import is_own
from moorage.kit.text import storable
from moorage.organizations import Kept, Permission, require

from . import store
from .errors import (
    AlreadyFinished,
    DeviceTakesNone,
    EncodingFailed,
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
    Encoding,
    NewOperation,
    Operation,
    OperationFilter,
    OperationState,
)

log = structlog.get_logger()

MOST_PAYLOAD = 16_384
MOST_RESULT = 65_536
MOST_PROBLEM = 1_000
HIGHEST_PORT = 255
# Decoders of many devices run after one another, each bounded by its runtime.
LONGEST_ENCODING_S = 20.0
MOST_OPEN = 100
MOST_CLAIMED = 500
# What was sent and not taken is sent again after this; devices tell repeats by the id.
AGAIN_AFTER = timedelta(seconds=30)
# Where neither application nor organisation says.
RESULTS_KEPT = timedelta(days=365)
MOST_TRIMMED = 20_000
_DECODES_ONLY = frozenset({DecoderNotChosen.code, EncoderMissing.code})


async def send(workshop: Workshop, caller: Caller, device_id: UUID, new: NewOperation) -> Operation:
    """Ask something of a device, encoded by its decoder where that can encode.

    Raises:
        DeviceUnknown, PermissionMissing, DeviceTakesNone, PayloadTooLarge, TooManyPending.
        EncodingFailed: the decoder made no bytes of it; the operation is kept as failed.
    """
    (outcome,) = await send_many(workshop, caller, [device_id], new)
    if isinstance(outcome, MoorageError):
        raise outcome
    if outcome.state is OperationState.ERROR:
        raise EncodingFailed(reason=outcome.problem, operation_id=outcome.id)
    return outcome


async def send_many(
    workshop: Workshop, caller: Caller, device_ids: Iterable[UUID], new: NewOperation
) -> list[Operation | MoorageError]:
    """Ask the same of several devices; tell for each, in their order, what came of it.

    No transaction is open while decoders encode. What a decoder makes of a command is kept with the
    operation, so it stays the same whatever becomes of the decoder; where it makes nothing, the
    operation is an error from the start.

    Raises:
        PayloadTooLarge: nothing is sent to any.
    """
    asked = list(dict.fromkeys(device_ids))
    encodings = await encode(workshop, caller, asked, new)
    async with workshop.database.begin(caller) as tx:
        return await issue_many(tx, caller, asked, new, encodings)


async def preview(
    workshop: Workshop, caller: Caller, device_id: UUID, new: NewOperation
) -> Encoding:
    """Tell what would go down, as a trial of which nothing is kept.

    Raises:
        DeviceUnknown, PermissionMissing, PayloadTooLarge, TrialsTooMany, TrialTooLong.
    """
    async with workshop.database.begin(caller) as tx:
        found = await devices.find_many(tx, caller, [device_id], Permission.OPERATE_DEVICES)
    if isinstance(refused := found[device_id], MoorageError):
        raise refused
    async with workshop.turns.take(caller):
        encodings = await encode(workshop, caller, [device_id], new)
    return encodings.get(device_id, Encoding(port=new.port))


async def encode(
    workshop: Workshop, caller: Caller, device_ids: Sequence[UUID], new: NewOperation
) -> dict[UUID, Encoding]:
    """Encode a command for those devices whose decoders in force can encode, by device.

    All that share a decoder are encoded in one batch. Devices that the caller may not operate are
    passed over.

    Raises:
        PayloadTooLarge.
    """
    _require_fit(new)
    async with workshop.database.begin(caller) as tx:
        found = await devices.find_many(tx, caller, device_ids, Permission.OPERATE_DEVICES)
        able = [
            device
            for device in found.values()
            if isinstance(device, devices.Device)
            and device.decoder_id
            and device.state in devices.SENDING
        ]
        plain: set[UUID] = set()
        if new.encode is None:
            plain = await groups.sending_json(tx, {device.application_id for device in able})
    if new.encode is False:
        return {}
    able = [device for device in able if device.application_id not in plain]
    jobs = [
        EncodeJob(
            device.organization_id,
            device.decoder_id,
            EncodeContext(new.payload, new.port, device.metadata, new.code),
        )
        for device in able
    ]
    try:
        async with asyncio.timeout(LONGEST_ENCODING_S):
            outcomes = await workshop.encode(jobs)
    except TimeoutError:
        slow = DecodeFailure(TrialTooLong.code, f"It took longer than {LONGEST_ENCODING_S:g} s.")
        outcomes = [(None, slow)] * len(jobs)
    made = {
        device.id: _encoding(device, version, outcome, new)
        for device, (version, outcome) in zip(able, outcomes, strict=True)
    }
    return {device_id: one for device_id, one in made.items() if one is not None}


def _encoding(
    device: devices.Device, version: str | None, outcome: Encoded | DecodeFailure, new: NewOperation
) -> Encoding | None:
    """Judge what a decoder made of a command; None where it only decodes."""
    if isinstance(outcome, DecodeFailure):
        if outcome.code in _DECODES_ONLY:
            return None
        where = f" (line {outcome.line})" if outcome.line else ""
        failure = f"{outcome.message}{where}"[:MOST_PROBLEM]
        return Encoding(None, new.port, device.decoder_id, version, failure)
    port = new.port if outcome.port is None else outcome.port
    problem: str | None = None
    if len(outcome.payload) > MOST_PAYLOAD:
        problem = f"It made {len(outcome.payload)} bytes; at most {MOST_PAYLOAD} are sent."
    elif port is not None and not 0 <= port <= HIGHEST_PORT:
        problem = f"Its port is {port}; a port is a number from 0 to {HIGHEST_PORT}."
    if problem is not None:
        return Encoding(None, new.port, device.decoder_id, version, problem)
    return Encoding(outcome.payload, port, device.decoder_id, version, warnings=outcome.problems)


async def issue(
    tx: Tx, caller: Caller, device_id: UUID, new: NewOperation, encoding: Encoding | None = None
) -> Operation:
    """Ask something of a device; it is sent as soon as the device can be reached.

    Raises:
        DeviceUnknown, PermissionMissing, DeviceTakesNone, PayloadTooLarge, TooManyPending.
    """
    encodings = {} if encoding is None else {device_id: encoding}
    (outcome,) = await issue_many(tx, caller, [device_id], new, encodings)
    if isinstance(outcome, MoorageError):
        raise outcome
    return outcome


async def issue_many(
    tx: Tx,
    caller: Caller,
    device_ids: Sequence[UUID],
    new: NewOperation,
    encodings: Mapping[UUID, Encoding],
) -> list[Operation | MoorageError]:
    """Keep an operation for each device that takes it; to those without encoding it goes as JSON.

    Raises:
        PayloadTooLarge: nothing is kept for any.
    """
    _require_fit(new)
    permission = Permission.OPERATE_DEVICES
    asked = await devices.find_many(tx, caller, device_ids, permission, lock=True)
    found = [one for one in asked.values() if isinstance(one, devices.Device)]
    waiting = await store.count_open(tx, [device.number for device in found])
    outcomes: dict[UUID, Operation | MoorageError] = {
        device_id: one for device_id, one in asked.items() if isinstance(one, MoorageError)
    }
    for device in found:
        if device.state not in devices.SENDING:
            outcomes[device.id] = DeviceTakesNone(state=device.state.value)
        elif waiting.get(device.number, 0) >= MOST_OPEN:
            outcomes[device.id] = TooManyPending(limit=MOST_OPEN)
    plain = Encoding(port=new.port)
    taking = [(d, encodings.get(d.id, plain)) for d in found if d.id not in outcomes]
    made = await store.add(tx, new, taking)
    for operation in made.values():
        tx.announce(_fact(OperationIssued, operation))
    outcomes |= made
    return [outcomes[device_id] for device_id in device_ids]


def _require_fit(new: NewOperation) -> None:
    if (size := len(to_json(new.payload).encode())) > MOST_PAYLOAD:
        raise PayloadTooLarge(size=size, limit=MOST_PAYLOAD)


async def get(tx: Tx, caller: Caller, operation_id: UUID, *, lock: bool = False) -> Operation:
    """Read an operation. Raises OperationUnknown."""
    operation = await store.get(tx, operation_id, lock=lock)
    if not await _may(tx, caller, Permission.READ_DEVICES, operation):
        raise OperationUnknown(id=operation_id)
    return operation


async def _may(tx: Tx, caller: Caller, permission: Permission, operation: Operation) -> bool:
    place = operation.organization_id, operation.application_id
    return caller.may(permission, *place) or await is_own(
        tx, caller.reach(permission), operation.device_id
    )


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
    if not await _may(tx, caller, Permission.OPERATE_DEVICES, before):
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
    return OperationState(body["state"]), body.get("result"), problem and problem[:MOST_PROBLEM]


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
    """Read a report's body: JSON, or text if it is none; what no column takes is left out."""
    text = payload.replace(b"\0", b"").decode("utf-8", "replace")
    try:
        return text if is_too_deep(payload) else _storable(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _storable(body: Any) -> Any:
    """Leave out NUL, and make numbers that are not finite null."""
    if isinstance(body, str):
        return storable(body.replace("\0", ""))
    if isinstance(body, list):
        return [_storable(item) for item in body]
    if isinstance(body, dict):
        return {_storable(key): _storable(value) for key, value in body.items()}
    return None if isinstance(body, float) and not isfinite(body) else body


async def end_overdue(tx: Tx) -> None:
    """End what was not taken or answered in time; for the schedule only."""
    for operation in await store.end_overdue(tx, MOST_CLAIMED):
        tx.announce(_fact(OperationTimedOut, operation))


async def trim(tx: Tx) -> int:
    """Forget what was finished longer ago than results are kept; for the schedule only.

    One run removes so many at most; what is left goes with the next.
    """
    periods = await groups.periods(tx, Kept.RESULTS)
    until = {application_id: tx.now - keep for application_id, keep in periods.items()}
    return await store.remove_finished(tx, until, tx.now - RESULTS_KEPT, MOST_TRIMMED)


def _fact(kind: type[Fact], operation: Operation) -> Fact:
    # The payload may carry a secret meant for the device, and is kept with the operation.
    told = {
        "deviceId": operation.device_id,
        "kind": operation.kind,
        "code": operation.code,
        "state": operation.state,
    }
    return kind(operation.id, operation.organization_id, after=told)
