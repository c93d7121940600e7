"""From the derived log into the outbox: a batch per transaction, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
import structlog

from moorage import devices, ledger, telemetry
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from ..model import Content, Reading
from .expand import Arrival, Routes, take_in

log = structlog.get_logger()

CONSUMER = "targets"
BATCH = 2_000
DEVICES_CHANNEL = "moorage_devices"
# Facts after which routes must be read again; an organisation's may change its time zone.
_ABOUT = ("targets.", "organizations.", "groups.")
# Channels that carry no telemetry.
_NOT_TELEMETRY = ("op/", "twin/")
_derived = msgspec.msgpack.Decoder(list[telemetry.Derived])


class Sources:
    """What is remembered between batches: routes, and whose the devices are."""

    def __init__(self, doorbells: Doorbells) -> None:
        self.routes = Routes()
        self._contexts: dict[int, devices.DeviceContext] = {}
        self._changed = True
        self._mark: int | None = None
        doorbells.on(FACTS_CHANNEL, self._facts)
        doorbells.on(DEVICES_CHANNEL, lambda _payload: self._forget())

    def _facts(self, names: str) -> None:
        if not names or any(name.startswith(_ABOUT) for name in names.split(",")):
            self.routes.forget()

    def _forget(self) -> None:
        self._changed = True

    async def arrivals(
        self, tx: Tx, partition: int, messages: Sequence[telemetry.Derived]
    ) -> list[Arrival]:
        """Make arrivals of the messages that some route may want."""
        await self.routes.refresh(tx)
        await self._learn(tx, messages)
        if self.routes.empty:
            return []
        wanted = []
        raw: dict[tuple[int, int], int] = {}
        for message in messages:
            context = self._contexts.get(message.device)
            if context is None or message.channel.startswith(_NOT_TELEMETRY):
                continue
            if context.state is devices.DeviceState.WAITING:
                # What strangers send stays here; once adopted, a replay can send it on.
                continue
            plans = self.routes.of(
                message.device, context.application_id, str(context.id), frozenset(context.tags)
            )
            if plans:
                wanted.append((message, context))
                if any(plan.raw for plan in plans):
                    raw[partition, message.n] = message.device
        received = await ledger.get_many(tx, raw)
        return [
            _arrival(message, context, received.get((partition, message.n)))
            for message, context in wanted
        ]

    async def _learn(self, tx: Tx, messages: Sequence[telemetry.Derived]) -> None:
        if self._changed:
            self._changed = False
            changes = await devices.contexts_changed(tx, self._mark)
            self._mark = changes.next
            for number in changes.numbers:
                self._contexts.pop(number, None)
                self.routes.drop(number)
        missing = {m.device for m in messages} - self._contexts.keys()
        if missing:
            self._contexts.update(await devices.context_of(tx, sorted(missing)))


class Intake:
    """One worker's hold on one partition of the derived log; it holds the partition's lock."""

    def __init__(self, database: Database, doorbells: Doorbells, partition: int) -> None:
        self._database = database
        self._partition = partition
        self._sources = Sources(doorbells)
        self._bell = asyncio.Event()
        doorbells.on(ledger.CHANNEL[ledger.LogName.DERIVED], lambda _payload: self._bell.set())

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                if not await self.step():
                    async with asyncio.timeout(1):
                        await self._bell.wait()
            except TimeoutError:
                continue
            except (DatabaseUnavailable, ledger.PartitionLost) as lost:
                log.warning("intake_interrupted", partition=self._partition, error=str(lost))
                await asyncio.sleep(0.5)

    async def step(self) -> int:
        """Take in what was derived since; give the number of messages read."""
        self._bell.clear()
        async with self._database.begin() as tx:
            was = await ledger.position_of(tx, CONSUMER, ledger.LogName.DERIVED, self._partition)
            envelopes = await ledger.read(tx, ledger.LogName.DERIVED, self._partition, was, BATCH)
            messages, now = opened(envelopes, was)
            if not messages:
                return 0
            arrivals = await self._sources.arrivals(tx, self._partition, messages)
            await ledger.move(tx, CONSUMER, ledger.LogName.DERIVED, self._partition, was, now)
            await take_in(tx, self._sources.routes, arrivals)
        return len(messages)


def opened(
    envelopes: Sequence[ledger.Envelope], was: ledger.Position
) -> tuple[list[telemetry.Derived], ledger.Position]:
    """Decode envelopes of the derived log; leave out what lies before the position."""
    messages: list[telemetry.Derived] = []
    now = was
    for envelope in envelopes:
        skip = max(0, was.next - envelope.first)
        messages.extend(_derived.decode(ledger.unpack(envelope.body))[skip:])
        now = ledger.Position(envelope.first + envelope.count, envelope.day)
    return messages, now


def _arrival(
    message: telemetry.Derived,
    context: devices.DeviceContext,
    received: ledger.RawMessage | None,
) -> Arrival:
    readings: list[Reading] = []
    for point in message.points:
        units = point.units or {}
        readings.extend((name, value, units.get(name)) for name, value in point.values.items())
    content = Content(
        str(UUID(bytes=message.id)),
        str(context.id),
        context.name,
        str(context.application_id),
        message.at_us,
        message.received_us,
        message.channel,
        message.document,
        tuple(readings),
    )
    if received is None:
        return Arrival(message.device, context.application_id, frozenset(context.tags), content)
    return Arrival(
        message.device,
        context.application_id,
        frozenset(context.tags),
        content,
        received.payload,
        received.content_type,
    )
