"""From the wire into the ledger, in batches; acknowledged once they are durable."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from moorage import devices, ingest, ledger
from moorage.kit.db import DatabaseUnavailable
from moorage.kit.errors import MoorageError
from moorage.kit.ids import uuid7_bytes
from moorage_mqtt import Publish, ReasonCode

from ..model import Outcome, Source, Version
from .front import Front
from .means import Means
from .notes import Notes
from .reading import Item, Reading, Refused
from .topics import Reader
from .wire import Wire

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
_MOST_WAYS = 100_000
# Topics by which a broker tells of itself (MQTT 5, section 4.7.2).
_OF_THE_BROKER = "$SYS/"
_MQTT = int(ledger.Protocol.MQTT)


class _Taken(NamedTuple):
    """A message on its way into the ledger."""

    sender: devices.Sender
    message: ledger.RawMessage
    topic: str


class _Way(NamedTuple):
    """What is known of a topic at a broker in front, until a device changes."""

    sender: devices.Sender
    channel: str
    is_answer: bool
    meta: dict[str, Any]


class Taking:
    """Takes in what one connection brings, in order.

    Attributes:
        wire: the connection; None between two.
        session_number: of the broker's session, by which repeats are told from new messages.
        came_at: when a message last came, by the monotonic clock.
    """

    def __init__(
        self,
        means: Means,
        source: Source,
        readers: Sequence[Reader],
        notes: Notes,
        front: Front | None,
    ) -> None:
        self._means, self._source, self._notes, self._front = means, source, notes, front
        self._largest = means.door.settings.largest_message
        self._reading = Reading(source.id, readers, self._largest)
        self.wire: Wire | None = None
        self.session_number = 0
        self.came_at = 0.0
        self._queue: deque[Publish] = deque()
        self._queued_bytes = 0
        self._arrived = asyncio.Event()
        self._prints: dict[int, tuple[float, Collection[ingest.Print]]] = {}
        self._ways: dict[str, _Way] = {}
        self._turn = 0
        self._under_way = 0
        self._settled = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether something waits, or is not durable yet."""
        return bool(self._queue or self._under_way)

    async def settle(self) -> None:
        """Drop what waits, which the broker has, and let what was taken in be committed."""
        self._queue.clear()
        self._queued_bytes = 0
        self._prints.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while self._under_way:
                    self._settled.clear()
                    await self._settled.wait()

    def put(self, publish: Publish) -> None:
        """Take a PUBLISH from the wire."""
        self._queue.append(publish)
        self.came_at = time.monotonic()
        self._queued_bytes += len(publish.payload)
        self._arrived.set()
        is_much = len(self._queue) > MOST_QUEUED or self._queued_bytes > MOST_QUEUED_BYTES
        if is_much and self.wire is not None:
            self.wire.pause()

    async def drain(self, wire: Wire) -> None:
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
            if (one := self._plain(publish)) is not None:
                taken.append(one)
            else:
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
        self._notes.taken([(t.topic, t.message.payload, t.sender.device_id) for t in taken])
        wire.acknowledge(packet_ids)

    def _plain(self, publish: Publish) -> _Taken | None:
        """Make the message of a PUBLISH at a broker in front, where nothing is to be asked for it.

        None if it is anything but one message of a device that was heard on this topic already.
        """
        topic, payload, qos, retain, dup, packet_id, properties = publish
        if self._turn != self._means.roster.turn:
            self._ways.clear()
            self._turn = self._means.roster.turn
        way = self._ways.get(topic)
        if way is None or dup or retain or properties or qos > 1 or len(payload) > self._largest:
            return None
        if payload[:1] == b"[" or b'"values"' in payload:
            return None
        number = way.sender.number
        if self._means.door.admit(number, 1, len(payload), answer=way.is_answer) is not None:
            return None
        assert self._front is not None
        if number not in self._front.here:
            self._front.heard(number)
        packet = self.session_number << 16 | packet_id if packet_id else 0
        message = ledger.RawMessage(
            number, uuid7_bytes(), time.time_ns() // 1000, _MQTT, way.channel, payload, "", packet,
            None, way.meta,
        )  # fmt: skip
        return _Taken(way.sender, message, topic)

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
        packet = self.session_number << 16 | publish.packet_id if publish.packet_id else 0
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
        self._remember(publish.topic, sender, uplink)
        return replace(item, channel=uplink.channel)

    def _remember(self, topic: str, sender: devices.Sender, uplink: ingest.Uplink) -> None:
        if len(self._ways) >= _MOST_WAYS:
            self._ways.clear()
        meta = {"source": str(self._source.id), "topic": topic}
        self._ways[topic] = _Way(sender, uplink.channel, uplink.is_answer, meta)

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
