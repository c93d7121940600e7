"""What a device sends up: within its rights and allowances to the ledger, repeats left out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from moorage.plugin import (
    MoorageError,
    Print,
    RawMessage,
    Service,
    Uplink,
    Wait,
    print_of,
)
from moorage_mqtt import V5, V311, Event, Publish, ReasonCode

from .line import BUSY, HELD_BACK, TOO_FAST, Line
from .messages import to_messages
from .sessions import Kept

if TYPE_CHECKING:
    from .door import Door

# A device that subscribes or publishes here is told the time.
TIME = "v1/time"
_CACHED_TOPICS = 32
_ASK_AGAIN_S = 0.5
# What may wait for PUBREL in lab mode, of one session.
_UNRELEASED_BYTES = 16_777_216
# How long a device of MQTT 3.1.1 is kept waiting while the disk is full, before it is closed.
_HELD_S = 10.0


class Intake(Line):
    """A connection that takes messages in."""

    __slots__ = ("_held", "_topics")

    def __init__(
        self,
        door: Door,
        *,
        tls: bool,
        certificate: bytes = b"",
        carried_from: str | None = None,
    ) -> None:
        super().__init__(door, tls=tls, certificate=certificate, carried_from=carried_from)
        self._topics: dict[str, Uplink] = {}
        self._held: list[Event] = []  # Events that wait until a repeat has been looked up.

    def _process(self, events: list[Event]) -> None:
        if self._held:
            self._held += events
            return
        for at, event in enumerate(events):
            if type(event) is Publish:
                if event.dup and not self.door.settings.is_open:
                    self._held = events[at:]
                    self.stop(BUSY)
                    self.door.spawn(self._look_up(), self)
                    return
                self._take_in(event)
            else:
                self._other(event)

    def _take_in(self, publish: Publish) -> None:
        if self.ended:
            # By what came before it: nobody would learn that it was taken, so it comes again.
            packet_ids = [publish.packet_id] if publish.qos else []
            self.committed(packet_ids, ReasonCode.QUOTA_EXCEEDED)
            return
        self.messages_in += 1
        uplink = known = self._topics.get(publish.topic)
        if uplink is None:
            if self.door.settings.is_open:
                self._pass_on(publish)
                return
            uplink = self._uplink(publish)
        if uplink is None or (uplink.is_kept and self._has_no_room(publish, uplink)):
            return
        size = len(publish.payload)
        wait = self.door.host.admit(uplink.device, 1, size, answer=uplink.is_answer)
        if wait is not None and not self._bear(publish, wait):
            return
        if not uplink.is_kept:
            if self.kept is not None:
                self.door.passage.pass_on(self.kept, publish, uplink, self)
        else:
            self._put(to_messages(publish, uplink, self.door.now_us()), publish.packet_id)
            if known is None or publish.retain:
                self.door.passage.route(self.kept, publish, uplink)

    def forget_topics(self) -> None:
        """Look again, for each topic, where its messages go."""
        self._topics.clear()

    def _pass_on(self, publish: Publish) -> None:
        """Send a message to those who subscribe, and acknowledge it."""
        kept, door = self.kept, self.door
        if kept is None:
            return
        if not door.may_publish(kept.sender, publish.topic):
            if publish.qos:
                says = self.core.version == V5
                refusal = ReasonCode.NOT_AUTHORIZED if says else ReasonCode.SUCCESS
                self.core.acknowledge(publish.packet_id, refusal)
            return
        if publish.qos == 2 and self._waits(kept, publish):
            self.core.acknowledge(publish.packet_id)
            return
        code = door.broker.publish(kept.space, publish, door.time(), kept)
        door.send_later()
        if publish.qos:
            # What cannot be retained was sent all the same; only MQTT 5 can be told.
            is_told = code < 0x80 or self.core.version == V5
            self.core.acknowledge(publish.packet_id, code if is_told else ReasonCode.SUCCESS)

    def _waits(self, kept: Kept, publish: Publish) -> bool:
        """Keep a message of QoS 2 until PUBREL, as most brokers do; False if too much waits."""
        if kept.unreleased is None:
            kept.unreleased = {}
        if kept.unreleased_bytes + len(publish.payload) > _UNRELEASED_BYTES:
            return False
        kept.unreleased_bytes += len(publish.payload)
        kept.unreleased[publish.packet_id] = publish
        return True

    def _pass_on_released(self, packet_id: int) -> None:
        """Send on what waited for PUBREL."""
        kept, door = self.kept, self.door
        if kept is not None and kept.unreleased and packet_id in kept.unreleased:
            publish = kept.unreleased.pop(packet_id)
            kept.unreleased_bytes -= len(publish.payload)
            door.broker.publish(kept.space, publish, door.time(), kept)
            door.send_later()

    def _has_no_room(self, publish: Publish, uplink: Uplink) -> bool:
        """Refuse a message while the disk is full; False if there is room.

        MQTT 5 is told by PUBACK 0x97. 3.1.1 gets no PUBACK: nothing more is read, and after a
        while the connection is closed, so that the message is sent again. Until then whatever was
        read is refused as well, since order must hold.
        """
        is_full = self.door.host.refuses(uplink.channel)
        if not is_full and not self._stopped & HELD_BACK:
            return False
        text = "The disk of the platform is full; send it again later."
        if is_full:
            self._refused("disk", text)
        self._turn_away(publish, "disk", text)
        return True

    def _turn_away(self, publish: Publish, reason: str, text: str) -> None:
        """Refuse a message that cannot be taken for long, in the words of its version."""
        self.door.host.shed(reason)
        if publish.qos and self.core.version == V5:
            self.core.acknowledge(publish.packet_id, ReasonCode.QUOTA_EXCEEDED, text)
        elif publish.qos:
            if not self._stopped & HELD_BACK:
                self.stop(HELD_BACK)
                end = partial(self.end, "overload", ReasonCode.QUOTA_EXCEEDED, text)
                asyncio.get_running_loop().call_later(_HELD_S, end)
            self._unanswered.append(publish.packet_id)

    def _put(self, messages: list[RawMessage], packet_id: int) -> None:
        """Pass messages on; the last one carries the acknowledgement."""
        for message in messages[:-1]:
            self.door.passage.put(message, self, 0)
        self.door.passage.put(messages[-1], self, packet_id)

    def _bear(self, publish: Publish, wait: Wait) -> bool:
        """Answer a device that is too fast; True if the message is taken in all the same.

        MQTT 5 has a reason code for it (PUBACK 0x97). 3.1.1 has none, so we read no further until
        the allowance is back, or close if that takes long. At QoS 0 nobody would learn of it:
        dropped and counted.
        """
        text = str(wait)
        self._refused("rate", text)
        if not publish.qos or self.core.version == V5 or wait.seconds > _HELD_S:
            self._turn_away(publish, "rate", text)
            return False
        self.stop(TOO_FAST)
        asyncio.get_running_loop().call_later(wait.seconds, self.go_on, TOO_FAST)
        return True

    def _uplink(self, publish: Publish) -> Uplink | None:
        kept = self.kept
        uplink = None if kept is None else self.door.host.uplink(kept.sender, publish.topic)
        if kept is not None and isinstance(kept.sender, Service):
            if uplink is None and self.door.host.is_command(publish.topic):
                self._ask(kept.sender, publish)
                return None
        elif uplink is None and kept is not None and publish.topic == TIME:
            if publish.qos:
                self.core.acknowledge(publish.packet_id)
            if self.door.host.admit(kept.number, 1, 0) is None:
                self._tell_time(kept)
            return None
        if uplink is None:
            text = f"Publishing to {publish.topic[:200]} is not allowed."
            self._refused("topic", text, publish.topic)
            if publish.qos and kept is not None:
                self._deny(kept, publish, text)
            return None
        # What somebody subscribes to is not remembered: only what goes to the ledger alone.
        is_heard = kept is not None and self.door.passage.is_heard(kept, publish, uplink)
        is_heard = is_heard or (uplink.space is not None and self.door.routes.writes)
        if uplink.is_kept and not is_heard and len(self._topics) < _CACHED_TOPICS:
            self._topics[publish.topic] = uplink
        return uplink

    def _deny(self, kept: Kept, publish: Publish, text: str) -> None:
        """Refuse a message that may not be published there.

        MQTT 3.1.1 can only be told by the end of the connection, and a client may then send the
        message again whenever it connects, for ever. So what has ended a connection is acknowledged
        and dropped when it comes again (MQTT 3.1.1, 3.3.5-2 allows either).
        """
        if self.core.version == V311 and self.core.is_open:
            now = publish.topic, publish.packet_id, publish.payload
            if self.door.denied.is_again((kept.number, kept.client_id), now):
                self.core.acknowledge(publish.packet_id)
                return
        self.core.acknowledge(publish.packet_id, ReasonCode.NOT_AUTHORIZED, text)
        self.flush()

    async def _look_up(self) -> None:
        """Take in what is held, repeats of stored messages left out, in order."""
        stored: dict[int, Collection[Print]] = {}
        try:
            while (missing := self._repeating() - stored.keys()) and not self.ended:
                for device in missing:
                    stored[device] = await self._stored_lately(device)
        except Exception:
            self.fail()
            self._let_go()
            raise
        if self.ended:
            self._let_go()
        held, self._held = self._held, []
        for event in held:
            if not isinstance(event, Publish):
                self._other(event)
            elif not event.dup or not self._is_repeat(event, stored):
                self._take_in(event)
        self.go_on(BUSY)
        self.committed([])

    def _repeating(self) -> set[int]:
        """Tell whose messages among those held may be repeats; a gateway's are of many devices."""
        repeats = [event for event in self._held if isinstance(event, Publish) and event.dup]
        kept, host = self.kept, self.door.host
        uplinks = [host.uplink(kept.sender, event.topic) for event in repeats] if kept else []
        return {uplink.device for uplink in uplinks if uplink is not None and uplink.is_kept}

    async def _stored_lately(self, device: int) -> Collection[Print]:
        """Learn what is stored, however long that takes; nothing if the connection ends before.

        Meanwhile nothing is read, which is all the back-pressure MQTT has.
        """
        while not self.ended:
            try:
                return await self.door.host.stored_lately(device)
            except MoorageError:
                await asyncio.sleep(_ASK_AGAIN_S)
        return ()

    def _is_repeat(self, publish: Publish, stored: Mapping[int, Collection[Print]]) -> bool:
        """Pass on and acknowledge a message that is stored already; False if it is not."""
        uplink = self._uplink(publish)
        if uplink is None:
            return True  # Refused, and told so.
        if not uplink.is_kept:
            return False
        last = to_messages(publish, uplink, self.door.now_us())[-1]
        if print_of(last) not in stored.get(uplink.device, ()):
            return False
        self.door.host.shed("repeat")
        self.door.passage.route_again(self, publish, uplink)
        return True

    def _let_go(self) -> None:
        """Refuse the messages that are held; what else is held stays."""
        held = [event for event in self._held if isinstance(event, Publish)]
        self._held = [event for event in self._held if not isinstance(event, Publish)]
        packet_ids = [event.packet_id for event in held if event.qos]
        self.committed(packet_ids, ReasonCode.QUOTA_EXCEEDED)

    # --- For those who build on this ------------------------------------------------------------

    def _other(self, event: Event) -> None:
        """Act on what is no message."""
        raise NotImplementedError

    def _tell_time(self, kept: Kept) -> None:
        """Send a device that wants it the time."""
        raise NotImplementedError

    def _ask(self, service: Service, publish: Publish) -> None:
        """Ask something of a device for a service, and acknowledge it."""
        raise NotImplementedError
