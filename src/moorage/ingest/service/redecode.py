"""Re-decode: a period once more with the decoder as it is now, shown first, then put in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from moorage import decoders, devices, groups, ledger, organizations, tasks, telemetry
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import FieldInvalid
from moorage.organizations import Permission

from ..errors import NothingToDecode, ReDecodeNotReady
from ..facts import ReDecodeApplied, ReDecodeDiscarded
from ..model import ReDecode
from .decoding import NO_TELEMETRY, Decoding, instant
from .process import CONSUMER

KIND = "reDecode"
BATCH = 1_000
MOST_SAMPLES = 20
READY, APPLIED, DISCARDED = "ready", "applied", "discarded"
_COUNTS = ("messages", "added", "changed", "removed")


async def ask(tx: Tx, caller: Caller, decoder_id: UUID, asked: ReDecode) -> tasks.Task:
    """Have devices' messages of a period decoded anew, beside the readings that stand.

    Raises:
        DecoderUnknown, ApplicationUnknown, DeviceUnknown, PermissionMissing.
        FieldInvalid: the period is empty or not over, or neither or both of the devices and the
            application are given, or the devices are of several organisations.
        NothingToDecode: none of the devices uses the decoder.
    """
    await decoders.get(tx, caller, decoder_id)
    if asked.end <= asked.start:
        raise FieldInvalid("/to", "must be later than `from`")
    if asked.end > tx.now:
        raise FieldInvalid("/to", "must not lie in the future")
    if (asked.application_id is None) == (not asked.device_ids):
        raise FieldInvalid("/deviceIds", "must be given, or else `applicationId`, but not both")
    numbers, organization_id, application_id = await _meant(tx, caller, asked)
    contexts = await devices.context_of(tx, numbers)
    using = sorted(n for n, context in contexts.items() if context.decoder_id == decoder_id)
    if not using:
        raise NothingToDecode
    organizations.require(caller, Permission.READ_MESSAGES, organization_id, application_id)
    organizations.require(caller, Permission.MANAGE_DEVICES, organization_id, application_id)
    given = {"from": asked.start, "to": asked.end, "devices": using}
    new = tasks.NewTask(
        KIND, decoder_id, organization_id, application_id,
        Permission.READ_MESSAGES, Permission.MANAGE_DEVICES, given,
    )  # fmt: skip
    return await tasks.start(tx, caller, new)


async def _meant(
    tx: Tx, caller: Caller, asked: ReDecode
) -> tuple[Sequence[int], UUID, UUID | None]:
    """Give the numbers of the devices meant, and where they are."""
    if asked.application_id is not None:
        application = await groups.get(tx, caller, asked.application_id)
        numbers = await devices.numbers_in(tx, [application.id])
        return numbers.get(application.id, []), application.organization_id, application.id
    found = [await devices.get(tx, caller, device_id) for device_id in asked.device_ids]
    if len({device.organization_id for device in found}) > 1:
        raise FieldInvalid("/deviceIds", "must be devices of one organization")
    applications = {device.application_id for device in found}
    application_id = applications.pop() if len(applications) == 1 else None
    return [device.number for device in found], found[0].organization_id, application_id


async def apply(tx: Tx, caller: Caller, task_id: UUID) -> tasks.Task:
    """Put the readings of a finished re-decode in place of those that stand, in one step.

    Raises:
        TaskUnknown, PermissionMissing, ReDecodeNotReady.
    """
    task, result = await _ready(tx, caller, task_id)
    await telemetry.put_in_place(tx, task_id, _period(task))
    counts = {name: result[name] for name in _COUNTS}
    tx.announce(ReDecodeApplied(task_id, task.organization_id, after=counts))
    return await tasks.amend(tx, task, {**result, "outcome": APPLIED})


async def discard(tx: Tx, caller: Caller, task_id: UUID) -> tasks.Task:
    """Forget the readings of a finished re-decode; those that stand remain.

    Raises:
        TaskUnknown, PermissionMissing, ReDecodeNotReady.
    """
    task, result = await _ready(tx, caller, task_id)
    await telemetry.discard(tx, task_id)
    tx.announce(ReDecodeDiscarded(task_id, task.organization_id))
    return await tasks.amend(tx, task, {**result, "outcome": DISCARDED})


async def _ready(tx: Tx, caller: Caller, task_id: UUID) -> tuple[tasks.Task, Mapping[str, Any]]:
    task = await tasks.get(tx, caller, task_id, lock=True)
    if task.kind != KIND:
        raise tasks.TaskUnknown(id=task_id)
    organizations.require(
        caller, Permission(task.run_with), task.organization_id, task.application_id
    )
    if task.result is None or task.result["outcome"] != READY:
        state = task.state.value if task.result is None else task.result["outcome"]
        raise ReDecodeNotReady(state=state)
    return task, task.result


def _period(task: tasks.Task) -> tuple[datetime, datetime]:
    return (
        datetime.fromisoformat(task.given["from"]),
        datetime.fromisoformat(task.given["to"]),
    )


class ReDecoder:
    """Does the steps of re-decodes: a batch of the ledger, decoded and staged.

    The checkpoint is {partition, next, day, differences so far}; messages count towards `done`.
    """

    def __init__(
        self, database: Database, doorbells: Doorbells, workshop: decoders.Workshop
    ) -> None:
        self._database = database
        self._decoding = Decoding(workshop)
        doorbells.on("moorage_devices", lambda _payload: self._decoding.look_again())

    async def __call__(self, task: tasks.Task) -> tasks.Task:
        """Do one step."""
        start, end = _period(task)
        reached = task.checkpoint or {
            "partition": 0, "next": 1, "day": start.date().isoformat(), "sample": [],
            **dict.fromkeys(_COUNTS, 0),
        }  # fmt: skip
        async with self._database.begin() as tx:
            partitions = await ledger.partitions_of(tx)
            if reached["partition"] >= len(partitions):
                kept = {name: reached[name] for name in (*_COUNTS, "sample")}
                return await tasks.finish(tx, task, {**kept, "outcome": READY})
            partition = partitions[reached["partition"]]
            was = ledger.Position(reached["next"], date.fromisoformat(reached["day"]))
            mine = frozenset(task.given["devices"])
            # What is received late in a day may be kept early in the next.
            until = end.date() + timedelta(days=1)
            found, now = await ledger.read_of(tx, mine, partition, was, until, BATCH)
            # What has not been decoded a first time is no business of ours.
            processed = await ledger.position_of(tx, CONSUMER, ledger.LogName.RAW, partition)
            entries = [
                (n, message) for n, message in found
                if n < processed.next
                and start <= instant(message.received_us) < end
                and not message.channel.startswith(NO_TELEMETRY)
            ]  # fmt: skip
            await self._decoding.learn(tx, entries)
        contexts = self._decoding.contexts
        entries = [entry for entry in entries if entry[1].device in contexts]
        self._decoding.failures.clear()
        derived = await self._decoding.decode(entries)
        async with self._database.begin() as tx:
            difference = await telemetry.stage(tx, task.id, partition, derived)
            at_end = now == was
            checkpoint = {
                "partition": reached["partition"] + at_end,
                "next": 1 if at_end else now.next,
                "day": (start.date() if at_end else now.day).isoformat(),
                "messages": reached["messages"] + len(derived),
                "added": reached["added"] + difference.added,
                "changed": reached["changed"] + difference.changed,
                "removed": reached["removed"] + difference.removed,
                "sample": [*reached["sample"], *self._sample(difference)][:MOST_SAMPLES],
            }
            return await tasks.advance(tx, task, done=checkpoint["messages"], checkpoint=checkpoint)

    def _sample(self, difference: telemetry.Difference) -> list[dict[str, Any]]:
        return [
            {
                "deviceId": self._decoding.contexts[change.device].id,
                "position": f"{change.partition}:{change.n}",
                "before": change.before,
                "after": change.after,
            }
            for change in difference.changes[:MOST_SAMPLES]
        ]
