"""From the derived log into the outbox: a batch per transaction, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from moorage import decoders, devices, ledger, telemetry
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from .decoding import Deriver, content_of, decode
from .expand import Arrival, Chosen, Plan, Routes, take_in

log = structlog.get_logger()

CONSUMER = "targets"
BATCH = 2_000
# A pause between batches: at low rates most of a batch's cost does not grow with it.
GATHER_S = 0.02
DEVICES_CHANNEL = "moorage_devices"
# Facts after which routes must be read again; an organisation's may change its time zone.
_ABOUT = ("targets.", "organizations.", "groups.")
# Channels that carry no telemetry.
_NOT_TELEMETRY = ("op/", "twin/")


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
        self,
        tx: Tx,
        partition: int,
        envelopes: Sequence[ledger.Envelope],
        start: int,
        end: int,
    ) -> list[Arrival]:
        """Make arrivals of what some route may want; of the rest no more than devices is read.

        Only what stands from position `start` to before `end` is looked at.
        """
        await self.routes.refresh(tx)
        if self.routes.empty:
            return []
        plans = await self._plans(tx, {n for e in envelopes for n in telemetry.devices_in(e)})
        wanted = [
            message
            for envelope in envelopes
            for n, message in telemetry.entries_among(envelope, plans.keys())
            if start <= n < end
        ]
        return await self._made(tx, partition, wanted, plans)

    async def arrivals_of(
        self, tx: Tx, partition: int, messages: Sequence[telemetry.Derived]
    ) -> list[Arrival]:
        """Make arrivals of the messages that some route may want."""
        await self.routes.refresh(tx)
        if self.routes.empty:
            return []
        plans = await self._plans(tx, {message.device for message in messages})
        wanted = [message for message in messages if message.device in plans]
        return await self._made(tx, partition, wanted, plans)

    async def _made(
        self,
        tx: Tx,
        partition: int,
        wanted: Sequence[telemetry.Derived],
        plans: Mapping[int, tuple[Plan, ...]],
    ) -> list[Arrival]:
        wanted = [m for m in wanted if not m.channel.startswith(_NOT_TELEMETRY)]
        raw = {
            (partition, message.n): message.device
            for message in wanted
            if any(plan.reads_bytes for plan in plans[message.device])
        }
        received = await ledger.get_many(tx, raw) if raw else {}
        return [
            _arrival(m, self._contexts[m.device], received.get((partition, m.n))) for m in wanted
        ]

    async def _plans(self, tx: Tx, numbers: Collection[int]) -> dict[int, tuple[Plan, ...]]:
        """Look up the routes of devices; those that have none are left out."""
        await self._learn(tx, numbers)
        found = {}
        for number in numbers:
            context = self._contexts.get(number)
            # What strangers send stays here; once adopted, a replay can send it on.
            if context is None or context.state is devices.DeviceState.WAITING:
                continue
            if plans := self.routes.of(
                number, context.application_id, str(context.id), frozenset(context.tags)
            ):
                found[number] = plans
        return found

    async def _learn(self, tx: Tx, numbers: Collection[int]) -> None:
        if self._changed:
            self._changed = False
            changes = await devices.contexts_changed(tx, self._mark)
            self._mark = changes.next
            for number in changes.numbers:
                self._contexts.pop(number, None)
                self.routes.drop(number)
        if missing := [number for number in numbers if number not in self._contexts]:
            self._contexts.update(await devices.context_of(tx, sorted(missing)))


class Intake:
    """One worker's hold on one partition of the derived log; it holds the partition's lock."""

    def __init__(
        self, database: Database, doorbells: Doorbells, partition: int, deriver: Deriver
    ) -> None:
        self._database = database
        self._deriver = deriver
        self._partition = partition
        self._sources = Sources(doorbells)
        self._position: ledger.Position | None = None
        # How many messages a batch may hold; fewer after one that failed. 0: one, and that one is
        # given up.
        self._most = BATCH
        self._bell = asyncio.Event()
        doorbells.on(ledger.CHANNEL[ledger.LogName.DERIVED], lambda _payload: self._bell.set())

    async def run(self) -> None:
        """Work until cancelled."""
        self._position = None
        while True:
            try:
                count = await self.step()
                await asyncio.sleep(GATHER_S)
                if self._most == BATCH and ledger.at_end(count):
                    async with asyncio.timeout(1):
                        await self._bell.wait()
            except TimeoutError:
                continue
            except (DatabaseUnavailable, ledger.PartitionLost) as lost:
                log.warning("intake_interrupted", partition=self._partition, error=str(lost))
                self._position = None
                await asyncio.sleep(0.5)
            except Exception:
                if self._most == 0:
                    raise
                self._get_past()

    def _get_past(self) -> None:
        """Go on after a batch that failed for a reason nobody knows.

        Batches are halved until the message is found that is to blame; it becomes a dead letter of
        each route it was meant for.
        """
        log.exception("intake_failed", partition=self._partition, most=self._most)
        self._position = None
        self._most //= 2

    async def step(self) -> int:
        """Take in what was derived since; give the number of messages read.

        What is given up is neither decoded nor filtered: it becomes dead letters.
        """
        give_up, most = self._most == 0, max(1, self._most)
        self._bell.clear()
        derived = ledger.LogName.DERIVED
        async with self._database.begin() as tx:
            was = self._position or await ledger.position_of(tx, CONSUMER, derived, self._partition)
            envelopes = await ledger.read(tx, derived, self._partition, was, most)
            if not envelopes:
                self._most = BATCH
                return 0
            now = ledger.after(envelopes[-1])
            if now.next - was.next > most < BATCH:
                now = ledger.Position(was.next + most, was.day)
            arrivals = await self._sources.arrivals(
                tx, self._partition, envelopes, was.next, now.next
            )
            found = self._sources.routes.choose(arrivals)
            await ledger.move(tx, CONSUMER, derived, self._partition, was, now)
            if give_up:
                await take_in(tx, [_given_up(one) for one in found])
            else:
                chosen = await decode(self._deriver, found)
                await take_in(tx, chosen)
                await decoders.note_problems(tx, [one.problem for one in chosen if one.problem])
        self._position = now
        self._most = min(BATCH, most * 2)
        return now.next - was.next


def _given_up(one: Chosen) -> Chosen:
    at = datetime.fromtimestamp(one.arrival.content.received_us / 1_000_000, UTC)
    why = "The platform could not send this message on."
    problem = decoders.Problem(
        one.plan.decoder_id or one.plan.id, one.arrival.device, at, None, "targets.given_up", why
    )
    return Chosen(one.arrival, one.plan, problem)


def _arrival(
    message: telemetry.Derived,
    context: devices.DeviceContext,
    received: ledger.RawMessage | None,
) -> Arrival:
    content = content_of(message, str(context.id), context.name, str(context.application_id))
    return Arrival(
        message.device, context.application_id, frozenset(context.tags), content, received
    )
