"""From raw messages to readings: a batch per transaction, in order, once.

The steps stand in `Process.step`, top to bottom. The position moves in the transaction that keeps
what was derived, so a batch is derived once however often the worker dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from moorage import decoders, devices, ledger, operations, telemetry
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError

log = structlog.get_logger()

CONSUMER = "process"
BATCH = 4_000
PAST_US = 30 * 86_400 * 1_000_000
FUTURE_US = 600 * 1_000_000
_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Decoder().decode
_to_json = msgspec.json.Encoder().encode
NOBODY = UUID(int=0)
# Answers to operations and reported state are kept as messages, but are no readings.
NO_TELEMETRY = ("op/", "twin/")
NO_READINGS = decoders.Decoded(None)
_CLOCK, _PROBLEM = int(telemetry.Flag.CLOCK), int(telemetry.Flag.PROBLEM)
_ENVELOPE = {"at", "id", "values"}


class Process:
    """One worker's hold on one partition of the raw log."""

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        workshop: decoders.Workshop,
        partition: int,
    ) -> None:
        self._database = database
        self._workshop = workshop
        self._partition = partition
        self._bell = asyncio.Event()
        self._contexts: dict[int, devices.DeviceContext] = {}
        self._descriptions: dict[int, tuple[devices.DeviceContext, msgspec.Raw]] = {}
        self._keeper = telemetry.Keeper(partition)
        self._failures: list[decoders.Problem] = []
        self._position: ledger.Position | None = None
        self.processed = 0
        doorbells.on(ledger.CHANNEL[ledger.LogName.RAW], lambda _payload: self._bell.set())
        self._changed = True
        self._mark: int | None = None
        doorbells.on("moorage_devices", lambda _payload: self._forget())

    async def run(self) -> None:
        """Work until cancelled; starts over from the stored position after any trouble."""
        while True:
            try:
                if not await self.step():
                    async with asyncio.timeout(1):
                        await self._bell.wait()
            except TimeoutError:
                continue
            except (DatabaseUnavailable, ledger.PartitionLost) as lost:
                log.warning("process_interrupted", partition=self._partition, error=str(lost))
                self._start_over()
                await asyncio.sleep(0.5)

    def _start_over(self) -> None:
        self._position = None
        self._keeper = telemetry.Keeper(self._partition)
        self._contexts.clear()

    def _forget(self) -> None:
        self._changed = True

    async def step(self) -> int:
        """Process what has come in since; give the number of messages."""
        self._bell.clear()
        async with self._database.begin() as tx:
            was = await self._where(tx)
            envelopes = await ledger.read(tx, ledger.LogName.RAW, self._partition, was, BATCH)
            entries, now = _open(envelopes, was)
            await self._learn(tx, entries)
        if not entries:
            return 0
        self._failures.clear()
        derived = await self._decode(entries)
        async with self._database.begin() as tx:
            await ledger.move(tx, CONSUMER, ledger.LogName.RAW, self._partition, was, now)
            await self._keeper.append(tx, derived)
            await ledger.place(
                tx, ledger.LogName.DERIVED, self._partition, [_encode(d) for d in derived]
            )
            await devices.seen(tx, {d.device: _instant(d.received_us) for d in derived})
            await self._report_operations(tx, entries)
            await decoders.note_problems(tx, self._failures)
            await self._locate(tx, derived)
            await self._judge(tx, derived)
        self._position = now
        self.processed += len(derived)
        return len(derived)

    async def _where(self, tx: Tx) -> ledger.Position:
        if self._position is None:
            self._position = await ledger.position_of(
                tx, CONSUMER, ledger.LogName.RAW, self._partition
            )
        return self._position

    async def _learn(self, tx: Tx, entries: Sequence[tuple[int, ledger.RawMessage]]) -> None:
        """Look up the devices that are not known yet, or have changed."""
        if self._changed:
            self._changed = False
            changes = await devices.contexts_changed(tx, self._mark)
            self._mark = changes.next
            for number in changes.numbers:
                self._contexts.pop(number, None)
        missing = {m.device for _n, m in entries} - self._contexts.keys()
        if missing:
            self._contexts.update(await devices.context_of(tx, sorted(missing)))

    async def _decode(
        self, entries: Sequence[tuple[int, ledger.RawMessage]]
    ) -> list[telemetry.Derived]:
        """Decode a batch: plain JSON here, the rest by runtime, grouped."""
        derived: list[telemetry.Derived | None] = [None] * len(entries)
        others: dict[int, list[int]] = {}
        for index, (n, message) in enumerate(entries):
            context = self._contexts.get(message.device)
            if (
                context is not None
                and context.decoder_id is not None
                and not message.channel.startswith(NO_TELEMETRY)
            ):
                others.setdefault(message.device, []).append(index)
                continue
            if message.channel.startswith(NO_TELEMETRY):
                derived[index] = derive(n, message, None, NO_READINGS)
                continue
            derived[index] = _plain_json(n, message)
            if derived[index] is None:
                others.setdefault(message.device, []).append(index)
        if others:
            await self._decode_others(entries, others, derived)
        return [d for d in derived if d is not None]

    async def _decode_others(
        self,
        entries: Sequence[tuple[int, ledger.RawMessage]],
        others: Mapping[int, Sequence[int]],
        derived: list[telemetry.Derived | None],
    ) -> None:
        jobs = [self._job(entries[i][1]) for indexes in others.values() for i in indexes]
        order = [i for indexes in others.values() for i in indexes]
        results = await self._workshop.decode(jobs)
        for index, (decoder, result) in zip(order, results, strict=True):
            n, message = entries[index]
            derived[index] = derive(n, message, decoder, result)
            if isinstance(result, decoders.DecodeFailure):
                self._note_failure(message, decoder, result)

    def _note_failure(
        self, message: ledger.RawMessage, decoder: str | None, failure: decoders.DecodeFailure
    ) -> None:
        """Keep what a decoder could not do for its page."""
        context = self._contexts.get(message.device)
        if context is not None and context.decoder_id is not None:
            at = _instant(message.received_us)
            self._failures.append(
                decoders.Problem(
                    context.decoder_id, message.device, at, decoder, failure.code, failure.message
                )
            )

    def _job(self, message: ledger.RawMessage) -> decoders.Job:
        context = self._contexts.get(message.device)
        meta = message.meta or {}
        content = decoders.DecodeContext(
            message.payload,
            _instant(message.received_us),
            message.content_type or None,
            meta.get("port"),
            None,
            meta.get("event"),
            None if context is None else self._description(context),
        )
        if context is None:
            return decoders.Job(NOBODY, None, content)
        return decoders.Job(context.organization_id, context.decoder_id, content)

    def _description(self, context: devices.DeviceContext) -> msgspec.Raw:
        """Give the device as a decoder's second argument sees it: no secrets, no keys."""
        known = self._descriptions.get(context.number)
        if known is None or known[0] is not context:
            place = context.location
            described = {
                "id": str(context.id),
                "name": context.name,
                "type": context.kind.value,
                "location": place
                and {"type": "Point", "coordinates": [place.longitude, place.latitude]},
                "commentOnLocation": context.place,
                "metadata": context.metadata,
                "deviceModel": {
                    "manufacturerName": context.manufacturer,
                    "modelName": context.model,
                },
                "serial": context.serial,
                "tags": context.tags,
            }
            known = self._descriptions[context.number] = context, msgspec.Raw(_to_json(described))
        return known[1]

    async def _report_operations(
        self, tx: Tx, entries: Sequence[tuple[int, ledger.RawMessage]]
    ) -> None:
        """Hand over what devices answered; a wrong answer is logged and stops nothing."""
        for _n, message in entries:
            if not message.channel.startswith("op/"):
                continue
            try:
                operation_id = UUID(message.channel.split("/")[1])
                state, result, problem = operations.read_report(_body(message.payload))
                await operations.report(tx, message.device, operation_id, state, result, problem)
            except (ValueError, MoorageError) as wrong:
                log.warning("operation_report_refused", device=message.device, error=str(wrong))

    async def _locate(self, tx: Tx, derived: Sequence[telemetry.Derived]) -> None:
        """Move devices that said where they are."""
        places = {
            d.device: devices.Location(d.location[1], d.location[0], d.location[2])
            for d in derived
            if d.location is not None
        }
        if places:
            await devices.located(tx, places)

    async def _judge(self, tx: Tx, derived: Sequence[telemetry.Derived]) -> None:
        """Hold readings of devices that have thresholds against them."""
        limited = {n: c for n, c in self._contexts.items() if c.thresholds} if derived else {}
        readings = [
            (d.device, name, float(value), _instant(point.at_us))
            for d in derived
            if d.device in limited
            for point in d.points
            for name, value in point.values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if readings:
            await devices.judge(tx, limited, readings)


def _body(payload: bytes) -> Any:
    """Read a report's body: JSON, or text if it is none."""
    try:
        return _json(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode("utf-8", "replace")


def _open(
    envelopes: Sequence[ledger.Envelope], was: ledger.Position
) -> tuple[list[tuple[int, ledger.RawMessage]], ledger.Position]:
    """Decode envelopes; leave out what lies before the position."""
    entries: list[tuple[int, ledger.RawMessage]] = []
    now = was
    for envelope in envelopes:
        messages = ledger.messages(envelope)
        skip = max(0, was.next - envelope.first)
        entries.extend(enumerate(messages[skip:], envelope.first + skip))
        now = ledger.Position(envelope.first + envelope.count, envelope.day)
    return entries, now


def _plain_json(n: int, message: ledger.RawMessage) -> telemetry.Derived | None:
    """Derive from a JSON body without a decoder; None if it is something else."""
    payload = message.payload
    # A whole array is SenML or a list of bare values: the workshop tells which.
    if payload[:1] != b"{" or "senml" in message.content_type:
        return None
    try:
        document = _json(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    values = document
    if type(document) is dict and document.keys() <= _ENVELOPE and "values" in document:
        # Time and id concern the message; the door has taken them up.
        values = document["values"]
    readings, dropped = decoders.take_readings(values)
    if len(readings) == 1 and not dropped:
        (only,) = readings
        if only.at is None and only.location is None and only.units is None:
            # What most messages are, in the fewest steps; `derive` would say the same.
            at_us, flags = _settle(message.device_us, message.received_us)
            return telemetry.Derived(
                n, message.device, message.id, message.received_us, at_us, message.channel, None,
                payload, [telemetry.Point(at_us, only.values)], None, None, flags,
            )  # fmt: skip
    decoded = decoders.Decoded(payload, readings, dropped=dropped)
    return derive(n, message, None, decoded)


def derive(
    n: int,
    message: ledger.RawMessage,
    decoder: str | None,
    result: decoders.Decoded | decoders.DecodeFailure,
) -> telemetry.Derived:
    """Settle the times and make the entry of the derived log."""
    received_us = message.received_us
    own_us, flags = _settle(message.device_us, received_us)
    if isinstance(result, decoders.DecodeFailure):
        return telemetry.Derived(
            n, message.device, message.id, received_us, own_us, message.channel, decoder,
            None, [], None, result.message, flags | _PROBLEM,
        )  # fmt: skip
    points = []
    location = None
    at_us = own_us
    for readings in result.readings:
        point_us = own_us
        if readings.at is not None:
            point_us, clock = _settle(int(readings.at.timestamp() * 1_000_000), received_us)
            flags |= clock
        if readings.location is not None:
            place = readings.location
            location = (place.latitude, place.longitude, place.altitude_m)
        if readings.values:
            points.append(telemetry.Point(point_us, readings.values, readings.units))
    if points:
        at_us = points[0].at_us
    problem = "; ".join(result.problems) or None
    if result.dropped:
        problem = f"{problem}; " if problem else ""
        problem += f"{result.dropped} values could not become readings"
    return telemetry.Derived(
        n, message.device, message.id, received_us, at_us, message.channel, decoder,
        result.document, points, location, problem,
        flags | (_PROBLEM if problem else 0),
    )  # fmt: skip


def _settle(device_us: int | None, received_us: int) -> tuple[int, int]:
    """Take the device's time if it is believable, else the time of receipt, and say so."""
    if device_us is None:
        return received_us, 0
    if received_us - PAST_US <= device_us <= received_us + FUTURE_US:
        return device_us, 0
    return received_us, _CLOCK


def _instant(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
