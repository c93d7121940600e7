"""One device's connection: between its socket, the MQTT core and the door."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, cast
from uuid import UUID

from moorage.plugin import (
    Command,
    Credentials,
    Kind,
    MoorageError,
    Print,
    RawMessage,
    Refusal,
    Sender,
    Uplink,
    Wait,
    print_of,
)
from moorage_mqtt import (
    V5,
    Acknowledged,
    Connect,
    Delivery,
    Disconnect,
    Event,
    Failed,
    Properties,
    Publish,
    ReasonCode,
    ServerConnection,
    Subscribe,
    Subscription,
    Unsubscribe,
    matches,
)

from . import subscriptions
from .messages import to_messages
from .sessions import Kept
from .websocket import WebSocket

if TYPE_CHECKING:
    from .door import Door

# Why reading is stopped, as bits; it goes on when none is set.
OVERLOAD, UNACKNOWLEDGED, BUSY, UNREAD, TOO_FAST, HELD_BACK = 1, 2, 4, 8, 16, 32

# A device that subscribes or publishes here is told the time.
TIME = "v1/time"
_CACHED_TOPICS = 32
_CLOSING_S = 5.0
_ASK_AGAIN_S = 0.5
# How a TLS client begins: a handshake record of TLS 1.x. As MQTT it would be a CONNECT with flags
# that none has.
_CLIENT_HELLO = b"\x16\x03"
# How a WebSocket client begins: GET. As MQTT it would be PUBACK with flags that none has.
_GET = b"G"
# How long a device of MQTT 3.1.1 is kept waiting while the disk is full, before it is closed.
_HELD_S = 10.0

# Cause of the disconnect, by the reason code the core gave for it.
_CAUSES = {ReasonCode.KEEP_ALIVE_TIMEOUT: "keep-alive"}
_REFUSALS = {
    ReasonCode.PACKET_TOO_LARGE: "oversize",
    ReasonCode.RECEIVE_MAXIMUM_EXCEEDED: "rate",
    ReasonCode.QUOTA_EXCEEDED: "rate",
}


class Link(asyncio.Protocol):
    """A connection from the first byte to the last."""

    __slots__ = (
        "_drained",
        "_expiry",
        "_held",
        "_stopped",
        "_topics",
        "_unanswered",
        "_unsent",
        "_websocket",
        "address",
        "core",
        "door",
        "due_at",
        "ended",
        "kept",
        "tls",
        "transport",
    )

    def __init__(self, door: Door, *, tls: bool) -> None:
        self.door = door
        self.tls = tls
        self.core = ServerConnection(door.settings.limits, door.time())
        self.kept: Kept | None = None
        self.ended = False
        self.due_at = -1
        self.address = ""
        self.transport: asyncio.Transport
        self._topics: dict[str, Uplink] = {}
        self._stopped = 0
        self._held: list[Event] = []  # Events that wait until a repeat has been looked up.
        self._unanswered: list[int] = []  # What was refused without a word (MQTT 3.1.1).
        self._unsent: list[bytes] = []  # What waits until the session has been written.
        self._drained: asyncio.Future[None] | None = None
        self._websocket: WebSocket | None = None
        self._expiry: asyncio.TimerHandle | None = None

    # --- The socket ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, unless there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(self.door.settings.limits.packet_bytes)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""
        if not self.door.admit(self):
            self.ended = True
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self.ended:
            return
        if self.kept is None and not self._begins(data):
            return
        if self._websocket is not None:
            data = self._websocket.receive(data)
            if self._websocket.refusal:
                self._refused("malformed", self._websocket.refusal)
                self.end("protocol")
                return
        events = self.core.receive(data, self.door.time())
        if events:
            self._process(events)
        self.flush()
        if self.door.host.overloaded:
            self.door.overload(self)
        elif self.core.unacknowledged > self.door.settings.limits.receive_maximum:
            self.stop(UNACKNOWLEDGED)

    def _begins(self, data: bytes) -> bool:
        """Look at the first bytes: MQTT, MQTT in WebSocket frames, or TLS that is not for us."""
        if not self.core.is_new:
            return True
        if data.startswith(_CLIENT_HELLO) and not self.tls:
            self._refuse_hello()
            return False
        if data.startswith(_GET) and self._websocket is None:
            longest = self.door.settings.limits.packet_bytes
            self._websocket = WebSocket(self.transport, longest)
            self.transport = cast("asyncio.Transport", self._websocket)
        return True

    def _refuse_hello(self) -> None:
        text = "TLS came to the port of MQTT without encryption."
        if self.door.settings.tls is not None:
            text += f" Use port {self.door.settings.tls_port}, or switch TLS off in the client."
        self._refused("tls-on-plain", text)
        self.end("protocol")

    def eof_received(self) -> bool:
        """Close when the device has closed its side."""
        return False

    def pause_writing(self) -> None:
        """Read nothing more from a device that does not read its answers, and send it less."""
        self.core.congested = True
        self.stop(UNREAD)

    def resume_writing(self) -> None:
        """Go on when it has read them."""
        self._process(self.core.relieve(self.door.time()))
        self.go_on(UNREAD)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the socket has closed."""
        self.end("lost")
        self.door.gone(self)

    def stop(self, why: int) -> None:
        """Stop reading."""
        if not self._stopped and not self.transport.is_closing():
            self.transport.pause_reading()
        self._stopped |= why

    def go_on(self, why: int) -> None:
        """Read again if nothing else stands against it."""
        if not self._stopped:
            return
        self._stopped &= ~why
        if not self._stopped and not self.transport.is_closing():
            self.transport.resume_reading()

    def flush(self) -> None:
        """Send what the core has to send, unless what it says has to be kept first."""
        kept = self.kept
        is_held = kept is not None and self.door.keeper.holds(kept)
        if not is_held and (data := self.core.take()):
            self.transport.write(data)
        if self.core.is_closed and not self.ended:
            self.end("protocol")

    def hold(self) -> None:
        """Set aside what is to be sent; what it says is being written."""
        self._unsent.append(self.core.take())

    def release(self, error: Exception | None) -> None:
        """Send what was set aside longest ago: what it says is kept."""
        if self.ended:
            return
        data = self._unsent.pop(0)
        if error is not None:
            self.end("overload", ReasonCode.QUOTA_EXCEEDED, "The session cannot be kept.")
            return
        if data:
            self.transport.write(data)
        self.flush()

    # --- The end ------------------------------------------------------------------------------

    def end(self, cause: str, code: ReasonCode | None = None, reason: str = "") -> None:
        """End the connection once: tell the device, start the session's clocks, close."""
        if self.ended:
            return
        self.ended = True
        core, door = self.core, self.door
        if self._expiry is not None:
            self._expiry.cancel()
        if self.kept is not None and door.keeper.holds(self.kept):
            core.take()  # What is not kept is not said; the next connection will hear it.
        if code is None:
            # Told already by the core, or nobody is there to be told.
            core.disconnect(ReasonCode.UNSPECIFIED_ERROR)
        elif core.is_open:
            core.disconnect(code, reason)
        else:
            core.refuse(code, reason)
        said = core.take() if cause != "lost" else b""
        if said:
            self.transport.write(said)
        for packet_id in self._unanswered:
            core.acknowledge(packet_id, ReasonCode.QUOTA_EXCEEDED)
        if self.kept is not None:
            door.left(self, self.kept, cause)
            if not core.unacknowledged:
                self.settled()
        transport = self.transport
        if cause == "protocol" and said and transport.can_write_eof():
            # What it still sends is read and dropped: to close with bytes unread would take from it
            # what was said last (RFC 9293, section 3.6).
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()
        door.watch(self, door.time() + _CLOSING_S)

    def tick(self, now: float) -> None:
        """Look at the deadline."""
        if self.ended:
            self.transport.abort()  # It does not take what is left for it.
            return
        events = self.core.tick(now)
        if events:
            self._process(events)
            self.flush()
        elif (deadline := self.core.deadline) is not None:
            self.door.watch(self, deadline)

    def committed(self, packet_ids: list[int], code: ReasonCode = ReasonCode.SUCCESS) -> None:
        """Acknowledge messages, or refuse them with `code`, and send what has become due."""
        core = self.core
        if code:
            for packet_id in packet_ids:
                core.acknowledge(packet_id, code, "It cannot be stored just now; send it again.")
        elif len(packet_ids) == 1:
            core.acknowledge(packet_ids[0])
        elif packet_ids:
            core.acknowledge_many(packet_ids)
        if self.ended:
            if not core.unacknowledged:
                self.settled()
            return
        self.flush()
        limit = self.door.settings.limits.receive_maximum
        if self._stopped & UNACKNOWLEDGED and core.unacknowledged <= limit // 2:
            self.go_on(UNACKNOWLEDGED)

    def settled(self) -> None:
        """Let go of the session: all this ended connection took in is committed or refused."""
        if self.kept is not None and self.kept.link is self:
            self.kept.link = self.kept.connection = None
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def drained(self) -> asyncio.Future[None]:
        """Wait for `settled`."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        return self._drained

    # --- Events -------------------------------------------------------------------------------

    def _process(self, events: list[Event]) -> None:
        if self._held:
            self._held += events
            return
        for at, event in enumerate(events):
            if type(event) is Publish:
                if event.dup:
                    self._held = events[at:]
                    self.stop(BUSY)
                    self.door.spawn(self._look_up())
                    return
                self._take_in(event)
            else:
                self._other(event)

    def _take_in(self, publish: Publish) -> None:
        uplink = known = self._topics.get(publish.topic)
        if uplink is None:
            if self.door.settings.is_open:
                self._pass_on(publish)
                return
            uplink = self._uplink(publish)
        if uplink is None or self._has_no_room(publish, uplink):
            return
        size = len(publish.payload)
        wait = self.door.host.admit(uplink.device, 1, size, answer=uplink.is_answer)
        if wait is None or self._bear(publish, wait):
            self._put(to_messages(publish, uplink, self.door.now_us()), publish.packet_id)
            if known is None or publish.retain:
                self.door.route(self.kept, publish)

    def forget_topics(self) -> None:
        """Look again, for each topic, where its messages go."""
        self._topics.clear()

    def _pass_on(self, publish: Publish) -> None:
        """Send a message to those who subscribe, and acknowledge it."""
        kept, door = self.kept, self.door
        if kept is None:
            return
        code = door.broker.publish(kept.space, publish, door.time(), kept)
        door.send_later()
        if publish.qos:
            # What cannot be retained was sent all the same; only MQTT 5 can be told.
            is_told = code < 0x80 or self.core.version == V5
            self.core.acknowledge(publish.packet_id, code if is_told else ReasonCode.SUCCESS)

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
            self.door.put(message, self, 0)
        self.door.put(messages[-1], self, packet_id)

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
        if uplink is None and kept is not None and publish.topic == TIME:
            if publish.qos:
                self.core.acknowledge(publish.packet_id)
            if self.door.host.admit(kept.sender.number, 1, 0) is None:
                self._tell_time(kept)
            return None
        if uplink is None:
            text = f"The device may not publish to {publish.topic[:200]}."
            self._refused("topic", text, publish.topic)
            if publish.qos:
                self.core.acknowledge(publish.packet_id, ReasonCode.NOT_AUTHORIZED, text)
            return None
        # What somebody subscribes to is not remembered: only what goes to the ledger alone.
        is_heard = kept is not None and self.door.broker.is_heard(kept.space, publish)
        if not is_heard and len(self._topics) < _CACHED_TOPICS:
            self._topics[publish.topic] = uplink
        return uplink

    async def _look_up(self) -> None:
        """Take in what is held, repeats of stored messages left out, in order."""
        stored: dict[int, Collection[Print]] = {}
        while (missing := self._repeating() - stored.keys()) and not self.ended:
            for device in missing:
                stored[device] = await self._stored_lately(device)
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
        return {uplink.device for uplink in uplinks if uplink is not None}

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
        """Acknowledge a message that is stored already; False if it is not."""
        uplink = self._uplink(publish)
        if uplink is None:
            return True  # Refused, and told so.
        last = to_messages(publish, uplink, self.door.now_us())[-1]
        if print_of(last) not in stored.get(uplink.device, ()):
            return False
        self.core.acknowledge(publish.packet_id)
        self.door.host.shed("repeat")
        return True

    def _let_go(self) -> None:
        """Refuse the messages that are held; what else is held stays."""
        held = [event for event in self._held if isinstance(event, Publish)]
        self._held = [event for event in self._held if not isinstance(event, Publish)]
        packet_ids = [event.packet_id for event in held if event.qos]
        self.committed(packet_ids, ReasonCode.QUOTA_EXCEEDED)

    def _other(self, event: Event) -> None:
        if isinstance(event, Connect):
            self.stop(BUSY)
            self.door.spawn(self._sign_in(event))
        elif isinstance(event, Subscribe):
            self._subscribe(event)
        elif isinstance(event, Unsubscribe):
            self._unsubscribe(event)
        elif isinstance(event, Acknowledged):
            if event.reference is not None:
                self.door.host.taken(UUID(event.reference))
        elif isinstance(event, Disconnect):
            self.end("client")
        elif isinstance(event, Failed):
            code = ReasonCode(event.reason_code)
            if code not in _CAUSES:
                self._refused(_REFUSALS.get(code, "malformed"), event.text)
            self.end(_CAUSES.get(code, "protocol"))

    def _refused(self, reason: str, detail: str, hint: str = "") -> None:
        kept = self.kept
        self.door.host.refused(
            Refusal(
                reason,
                detail,
                "mqtt",
                self.address,
                hint or (kept.client_id if kept else ""),
                kept.sender.number if kept else None,
            )
        )

    # --- Signing in ---------------------------------------------------------------------------

    async def _sign_in(self, connect: Connect) -> None:
        """Answer CONNECT."""
        door, core = self.door, self.core
        client_id = connect.client_id
        if "authentication_method" in connect.properties:
            text = "The door knows no method of enhanced authentication."
            self.end("protocol", ReasonCode.BAD_AUTHENTICATION_METHOD, text)
            return
        credentials = Credentials(
            connect.username, connect.password, client_id, self.address, "mqtt", self.tls
        )
        sender = await self._recognise(credentials)
        if sender is None or self.ended:
            return
        if connect.will and not door.may_publish(sender, connect.will.topic):
            text = f"The device may not publish its will to {connect.will.topic[:200]}."
            door.host.refused(
                Refusal("topic", text, "mqtt", self.address, connect.will.topic, sender.number)
            )
            self.end("protocol", ReasonCode.NOT_AUTHORIZED, text)
            return
        assigned = None
        if not client_id:
            client_id = assigned = door.make_client_id()
        if not await self._load(sender):
            return
        if await self._end_former(sender, client_id):
            # That may have taken long, and the device's rights may be others by now.
            sender = await self._recognise(credentials)
        if sender is None or self.ended:
            return
        kept, present = door.broker.attach(
            sender.number, client_id, core, clean_start=connect.clean_start, now=door.time()
        )
        kept.sender, kept.link, self.kept = sender, self, kept
        if core.session_expiry_s and not door.settings.is_open:
            kept.lasts_s = core.session_expiry_s
            kept.session.changed = True
        elif kept.lasts_s:
            door.keeper.discarded(kept)  # It ends with this connection.
        if present:
            subscriptions.review(kept, door.host, door.broker)
        events = core.accept(
            kept.session,
            now=door.time(),
            session_present=present,
            assigned_client_id=assigned,
            properties=self._information(connect, client_id),
        )
        door.arrived(self, kept)
        if sender.valid_until is not None:
            self._end_at(sender.valid_until)
        self.go_on(BUSY)
        if events:
            self._process(events)
        self.flush()

    def _information(self, connect: Connect, client_id: str) -> Properties:
        """Give a client that asks for it a topic of its own for answers (MQTT 5, 3.1.2.11.6)."""
        asked = connect.properties.get("request_response_information")
        if not asked or not self.door.settings.is_open:
            return {}  # A device's answers go where the command says.
        return {"response_information": f"response/{client_id}"}

    def _end_at(self, valid_until: datetime) -> None:
        """Have the connection end with its credential."""
        left_s = (valid_until - datetime.now(UTC)).total_seconds()
        text = "The credential has expired."
        end = partial(self.end, "revoked", ReasonCode.ADMINISTRATIVE_ACTION, text)
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, left_s), end)

    async def _recognise(self, credentials: Credentials) -> Sender | None:
        """Find out who connects; a stranger's connection is ended."""
        try:
            return await self.door.host.identify(credentials)
        except MoorageError as refused:
            code = ReasonCode.BAD_USER_NAME_OR_PASSWORD
            if refused.kind in (Kind.UNAVAILABLE, Kind.TOO_MANY):
                code = ReasonCode.SERVER_UNAVAILABLE
            elif credentials.username is None and credentials.password is None:
                code = ReasonCode.NOT_AUTHORIZED
            self.end("protocol", code, str(refused))
            return None

    async def _load(self, sender: Sender) -> bool:
        """Take up what was kept for the device; False if the connection ends instead."""
        if not self.door.settings.is_open:
            try:
                await self.door.keeper.load(sender, self.door.broker)
            except MoorageError as failed:
                self.end("protocol", ReasonCode.SERVER_UNAVAILABLE, str(failed))
        return not self.ended

    async def _end_former(self, sender: Sender, client_id: str) -> bool:
        """End the connection that has the session, and wait until what it took in is settled.

        Gives whether there was something to wait for.
        """
        broker, waited = self.door.broker, False
        while (kept := broker.find(sender.number, client_id)) and (former := kept.link):
            former.end("taken-over", ReasonCode.SESSION_TAKEN_OVER, "Connected from elsewhere.")
            if former.core.unacknowledged:
                waited = True
                await former.drained()
            else:
                former.settled()
        return waited

    # --- Subscriptions and commands -------------------------------------------------------------

    def _subscribe(self, event: Subscribe) -> None:
        kept = self.kept
        if kept is None:
            return
        allow = partial(self._allow, kept)
        self.door.broker.answer_subscribe(kept, event, allow, self.door.time())
        if self.door.settings.is_open:
            return
        subscriptions.note_commands(kept)
        for other in self.door.broker.of(kept.number):
            if other.link is not None:
                other.link.forget_topics()
        if kept.takes_commands or kept.sender.is_gateway:
            self.door.host.look_for_commands()
        if any(matches(wanted.topic_filter, TIME) for wanted in event.subscriptions):
            self._tell_time(kept)

    def _allow(self, kept: Kept, wanted: Subscription) -> int:
        """Grant a subscription, or list that it is refused."""
        if self.door.settings.is_open:
            may = self.door.host.may_subscribe(kept.sender, wanted.topic_filter)
            return wanted.qos if may else ReasonCode.UNSPECIFIED_ERROR
        code = subscriptions.allow(kept, wanted, self.door.host)
        if code == ReasonCode.NOT_AUTHORIZED:
            text = f"The device may not subscribe to {wanted.topic_filter[:200]}."
            self._refused("topic", text, wanted.topic_filter)
        return code

    def _unsubscribe(self, event: Unsubscribe) -> None:
        if self.kept is not None:
            self.door.broker.answer_unsubscribe(self.kept, event)
            if not self.door.settings.is_open:
                subscriptions.note_commands(self.kept)

    def _tell_time(self, kept: Kept) -> None:
        """Send a device that wants it the time: milliseconds since 1970."""
        qos = subscriptions.granted(kept, TIME)
        if qos is not None:
            now_ms = b"%d" % (self.door.now_us() // 1000)
            self.core.publish(TIME, now_ms, qos=min(1, qos), now=self.door.time())

    def command(self, command: Command) -> bool:
        """Send a command; False if this connection does not take it now."""
        if self.kept is None or not self.core.is_open:
            return False
        found = subscriptions.command_topic(self.kept, command.device_id, str(command.id))
        if found is None:
            return False
        topic, qos = found
        properties: Properties = {"response_topic": f"{topic}/result"}
        if content_type := command.meta.get("content_type"):
            properties["content_type"] = content_type
        if "port" in command.meta:
            properties["user_property"] = [("port", str(command.meta["port"]))]
        outcome = self.core.publish(
            topic,
            command.payload,
            qos=qos,
            now=self.door.time(),
            properties=properties,
            reference=str(command.id),
        )
        self.flush()
        if outcome is Delivery.SENT and not qos:
            self.door.host.taken(command.id)
        return outcome in (Delivery.SENT, Delivery.QUEUED)
