"""Fetching one source's messages: connected, read in order, acknowledged once they are durable."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets as dice
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import structlog

from moorage import devices, ingest, ledger
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer
from moorage_mqtt import Acknowledged, Publish, ReasonCode, Session

from .. import store
from ..model import BrokerSession, Outcome, Source, Version
from .events import filters
from .front import Front, Fronts
from .notes import Notes
from .reading import Item, Reading, Refused
from .roster import Roster
from .topics import readers
from .wire import Login, Lost, Wire, connect, is_refused, words_of

log = structlog.get_logger()

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# A connection that held for so long was a good one: the next pause is short again.
STEADY_S = 10.0
# How often what the broker refused to subscribe us to is asked for again.
ASK_AGAIN_S = 60.0
# Reading stops when so much waits to be looked at.
MOST_QUEUED, MOST_QUEUED_BYTES = 1_000, 8 * 1024 * 1024
BATCH = 500
# Messages handed over and not yet durable. With those of one more batch they are fewer than the
# entries of a device that a repeated PUBLISH is compared with.
MOST_UNDER_WAY, REPEAT_DEPTH = 500, 1_000
PRINTS_KEPT_S = 5.0
# A quota that is back within this time is waited for.
LONGEST_WAIT_S = 10.0
STOP_S = 5.0
_ASK_AGAIN_S = 0.5
# Topics by which a broker tells of itself (MQTT 5, section 4.7.2).
_OF_THE_BROKER = "$SYS/"


class _Taken(NamedTuple):
    """A message on its way into the ledger."""

    sender: devices.Sender
    message: ledger.RawMessage
    topic: str


@dataclass(frozen=True, slots=True)
class Means:
    """What fetching takes of the process."""

    database: Database
    door: ingest.Door
    sealer: Sealer
    network: Outbound
    roster: Roster
    fronts: Fronts


class Intake:
    """Fetches the messages of a source that this process holds.

    One PUBLISH is acknowledged once all it carried is in the ledger, is known to be there, or was
    refused; the broker keeps the rest and sends it again on the next connection.
    """

    def __init__(self, means: Means, source: Source, secrets: Mapping[str, str]) -> None:
        self._means = means
        self._source = source
        self._secrets = secrets
        self._readers = readers(source.subscriptions)
        largest = means.door.settings.largest_message
        self._reading = Reading(source.id, self._readers, largest)
        self._notes = Notes(source)
        self._front: Front | None = None
        if source.front is not None:
            self._front = Front(source, means.database, means.door)
        self._client = Session()
        self._session = BrokerSession()
        self._wire: Wire | None = None
        self._queue: deque[Publish] = deque()
        self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._prints: dict[int, tuple[float, Collection[ingest.Print]]] = {}
        self._under_way = 0
        self._settled = asyncio.Event()
        self.is_removed = False
        """Whether the broker shall forget us at the end."""

    async def run(self) -> None:
        """Fetch until cancelled; what was taken in is committed and acknowledged first."""
        writing = [asyncio.create_task(self._notes.write_for_ever(self._means.database))]
        if self._front is not None:
            writing.append(asyncio.create_task(self._front.follow()))
        failures = 0
        try:
            while True:
                began = time.monotonic()
                try:
                    reason = await self._connection()
                except (Lost, MoorageError) as lost:
                    reason = str(lost)
                except Exception:  # One source's trouble stops no other, and may pass.
                    log.exception("source_broken", source_id=self._source.id)
                    reason = "The platform failed; its system log says how."
                failures = 0 if time.monotonic() - began > STEADY_S else failures + 1
                most = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 10))
                # Many that lose one broker shall not all come back at once.
                pause = random.uniform(most / 2, most)  # noqa: S311
                self._notes.failing(reason, pause)
                await asyncio.sleep(pause)
        finally:
            for task in writing:
                task.cancel()
            await asyncio.wait(writing)

    # --- One connection ---------------------------------------------------

    async def _connection(self) -> str:
        """Connect and fetch; give why the connection ended. Raises Lost, MoorageError."""
        async with self._means.database.begin() as tx:
            self._session = await store.session_of(tx, self._source.id)
        login = Login.of(self._source, self._secrets)
        wire, answer = await connect(
            login, self._means.network, self._put, self._client, self._acknowledged
        )
        self._wire = wire
        draining: asyncio.Task[None] | None = None
        try:
            if not answer.session_present or not self._session.number:
                await self._keep(BrokerSession(dice.randbits(31) + 1))
            draining = asyncio.create_task(self._drain(wire))
            draining.add_done_callback(partial(_end_with, wire))
            await self._subscribe(wire)
            if self._front is not None:
                self._front.connected(wire)
                self._means.fronts.opened(self._front)
            while not wire.lost.done():
                await asyncio.wait([wire.lost], timeout=ASK_AGAIN_S)
                if not wire.lost.done() and self._missing():
                    await self._subscribe(wire)
            return wire.lost.result()
        finally:
            await self._leave(wire, draining)

    async def _leave(self, wire: Wire, draining: asyncio.Task[None] | None) -> None:
        """Let what was taken in be committed, and drop the rest: the broker has it."""
        wire.pause()
        if self._front is not None:
            self._means.fronts.closed(self._front)
            self._front.lost()
        if draining is not None:
            draining.cancel()
            await asyncio.wait([draining])
        self._queue.clear()
        self._queued_bytes = 0
        self._prints.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while self._under_way:
                    self._settled.clear()
                    await self._settled.wait()
        self._wire = None
        if wire.lost.done():
            return
        wire.resume()
        if self.is_removed:
            with contextlib.suppress(Lost):
                await wire.unsubscribe(list(self._session.subscribed))
        wire.goodbye(forget=self.is_removed)

    def _wanted(self) -> dict[str, int]:
        wanted = {one.template.filter: one.asked.qos for one in self._readers}
        return wanted if self._source.front is None else wanted | filters(self._source.front)

    def _missing(self) -> dict[str, int]:
        had = self._session.subscribed
        return {name: qos for name, qos in self._wanted().items() if had.get(name) != qos}

    async def _subscribe(self, wire: Wire) -> None:
        """Have the broker's session hold our subscriptions and no others.

        Those it holds already are left as they are: some brokers would send retained messages anew.
        """
        wanted = self._wanted()
        await wire.unsubscribe([name for name in self._session.subscribed if name not in wanted])
        codes = await wire.subscribe(self._missing())
        refused = {name: code for name, code in codes.items() if is_refused(code)}
        held = {name: qos for name, qos in wanted.items() if name not in refused}
        if held != self._session.subscribed:
            await self._keep(BrokerSession(self._session.number, held))
        words = (f"{name} ({words_of(code, {})})" for name, code in refused.items())
        told = f"The broker refuses subscriptions: {', '.join(words)}." if refused else ""
        self._notes.connected(told)

    async def _keep(self, session: BrokerSession) -> None:
        async with self._means.database.begin() as tx:
            await store.put_session(tx, self._source.id, session)
        self._session = session

    # --- Messages ---------------------------------------------------------

    def _acknowledged(self, event: Acknowledged) -> None:
        if self._front is not None:
            self._front.acknowledged(event)

    def _put(self, publish: Publish) -> None:
        """Take a PUBLISH from the wire."""
        self._queue.append(publish)
        self._queued_bytes += len(publish.payload)
        self._arrived.set()
        is_much = len(self._queue) > MOST_QUEUED or self._queued_bytes > MOST_QUEUED_BYTES
        if is_much and self._wire is not None:
            self._wire.pause()

    async def _drain(self, wire: Wire) -> None:
        """Look at what has come, in order, until the connection is over."""
        door = self._means.door
        while True:
            while self._queue and not wire.lost.done():
                if door.overloaded:
                    await _relieved(door)
                while self._under_way > MOST_UNDER_WAY:
                    self._settled.clear()
                    await self._settled.wait()
                if door.refuses(""):
                    door.shed("disk", sum(not publish.packet_id for publish in self._queue))
                    wire.end("The disk of the platform is full: messages stay at the broker.")
                    return
                await self._take(wire)
            wire.resume()
            self._arrived.clear()
            await self._arrived.wait()

    async def _take(self, wire: Wire) -> None:
        """Put a batch of what waits into the ledger."""
        taken: list[_Taken] = []
        packet_ids: list[int] = []
        while self._queue and max(len(taken), len(packet_ids)) < BATCH:
            publish = self._queue.popleft()
            self._queued_bytes -= len(publish.payload)
            taken += await self._messages(wire, publish)
            if publish.packet_id:
                packet_ids.append(publish.packet_id)
        if not taken:
            wire.acknowledge(packet_ids)
            return
        self._under_way += len(taken)
        done = partial(self._committed, wire, packet_ids, taken)
        self._means.door.accept([one.message for one in taken], done)

    def _committed(
        self,
        wire: Wire,
        packet_ids: Sequence[int],
        taken: Sequence[_Taken],
        error: Exception | None,
    ) -> None:
        self._under_way -= len(taken)
        self._settled.set()
        if error is not None:
            self._means.door.shed("overload", len(taken))
            wire.end("Messages could not be stored: they stay at the broker.")
            return
        for one in taken:
            self._note(Outcome.TAKEN, one)
        wire.acknowledge(packet_ids)

    async def _messages(self, wire: Wire, publish: Publish) -> list[_Taken]:
        """Make the messages of a PUBLISH that are to be stored."""
        if publish.retain:
            return []  # What was known when we subscribed; live messages do not carry the flag.
        if self._front is not None and publish.topic.startswith(_OF_THE_BROKER):
            await self._front.told(publish)
            return []
        try:
            items = self._reading.items(publish)
        except Refused as refused:
            self._refuse(publish, publish.payload, refused)
            return []
        made: list[_Taken] = []
        now_us = time.time_ns() // 1000
        packet = self._session.number << 16 | publish.packet_id if publish.packet_id else 0
        for index, item in enumerate(items):
            sender = await self._sender(item)
            if isinstance(sender, Refused):
                self._refuse(publish, item.part.payload, sender)
                continue
            placed = self._placed(publish, item, sender)
            if isinstance(placed, Refused):
                self._refuse(publish, item.part.payload, placed, sender)
                continue
            reading = self._reading
            message = reading.message(publish, index, placed, sender.number, packet, now_us)
            made.append(_Taken(sender, message, publish.topic))
        if publish.dup:
            made = await self._without_repeats(made)
        return [one for one in made if await self._is_admitted(wire, publish, one, len(items))]

    def _placed(self, publish: Publish, item: Item, sender: devices.Sender) -> Item | Refused:
        """Give a message its channel, which at a broker in front is that of our own door."""
        if self._front is None:
            return item
        uplink = self._means.door.uplink(sender, publish.topic)
        if uplink is None:
            return Refused("topic", "A device may not publish there.")
        self._front.heard(sender.number)
        return replace(item, channel=uplink.channel)

    async def _without_repeats(self, made: Sequence[_Taken]) -> list[_Taken]:
        """Leave out what is stored already.

        What one PUBLISH carries of one device was stored together: the last tells of all.
        """
        last = {one.sender.number: one.message for one in made}
        stored = {
            number
            for number, message in last.items()
            if ingest.print_of(message) in await self._stored(number)
        }
        for one in made:
            if one.sender.number in stored:
                self._means.door.shed("repeat")
                self._note(Outcome.REPEATED, one)
        return [one for one in made if one.sender.number not in stored]

    async def _is_admitted(self, wire: Wire, publish: Publish, one: _Taken, together: int) -> bool:
        wait = await self._admitted(one.message)
        if wait is None:
            return True
        self._means.door.shed("rate")
        self._refuse(publish, one.message.payload, Refused("rate", str(wait)), one.sender)
        if self._source.version is Version.V5 and together == 1 and publish.qos:
            # 3.1.1 has no word for it.
            wire.machine.acknowledge(publish.packet_id, ReasonCode.QUOTA_EXCEEDED, str(wait))
        return False

    async def _sender(self, item: Item) -> devices.Sender | Refused:
        if isinstance(item.name, Refused):
            return item.name
        naming, roster = self._source.naming, self._means.roster
        while True:
            try:
                return roster.known(naming, item.name) or await roster.find(naming, item.name)
            except DatabaseUnavailable:
                await asyncio.sleep(_ASK_AGAIN_S)

    async def _stored(self, device: int) -> Collection[ingest.Print]:
        """Give the prints of a device's last entries.

        After a reconnect many repeats come at once, so what was learnt is used for some seconds.
        """
        kept = self._prints.get(device)
        if kept is not None and time.monotonic() - kept[0] < PRINTS_KEPT_S:
            return kept[1]
        while True:
            asked_at = time.monotonic()
            try:
                prints = await self._means.door.stored_lately(device, REPEAT_DEPTH)
            except MoorageError:
                await asyncio.sleep(_ASK_AGAIN_S)
                continue
            self._prints[device] = asked_at, prints
            return prints

    async def _admitted(self, message: ledger.RawMessage) -> ingest.Wait | None:
        """Take a message from what may be sent; give what stands against it.

        What all devices of an application share is waited for, which stops nobody who has a right
        to be served. Whoever uses up his own allowance does not make the others wait.
        """
        waited = 0.0
        while True:
            wait = self._means.door.admit(
                message.device, 1, len(message.payload), answer=self._is_answer(message)
            )
            if wait is None or wait.whose == "device's" or waited + wait.seconds > LONGEST_WAIT_S:
                return wait
            waited += wait.seconds
            await asyncio.sleep(wait.seconds)

    def _is_answer(self, message: ledger.RawMessage) -> bool:
        return self._front is not None and message.channel.startswith("op/")

    def _note(self, outcome: Outcome, one: _Taken) -> None:
        self._notes.message(outcome, one.topic, one.message.payload, one.sender.device_id)

    def _refuse(
        self,
        publish: Publish,
        payload: bytes,
        refused: Refused,
        sender: devices.Sender | None = None,
    ) -> None:
        detail = str(refused)
        device_id, number = (sender.device_id, sender.number) if sender else (None, None)
        self._notes.message(Outcome.REFUSED, publish.topic, payload, device_id, detail)
        self._means.door.refused(
            ingest.Refusal(
                refused.reason,
                detail,
                "mqtt",
                self._source.url,
                publish.topic[:200],
                number,
            )
        )


async def _relieved(door: ingest.Door) -> None:
    relieved = asyncio.Event()
    door.when_relieved(relieved.set)
    await relieved.wait()


def _end_with(wire: Wire, draining: asyncio.Task[None]) -> None:
    """End the connection if what looks at its messages has failed."""
    if not draining.cancelled() and (failed := draining.exception()) is not None:
        log.error("source_broken", exc_info=failed)
        wire.end("The platform failed; its system log says how.")
