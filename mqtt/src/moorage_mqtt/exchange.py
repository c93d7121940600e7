"""PUBLISH and its answers both ways, with flow control, the same at both ends."""

from collections.abc import Iterable

from . import properties as p
from .encode import Parts, encode_answer, repeated
from .errors import ProtocolError, ReasonCode, breach
from .events import Acknowledged, Delivery, Dropped, Event, Released
from .limits import Limits
from .packets import V5, V311, PubComp, Publish, PubRec, PubRel
from .properties import Properties, encode_properties
from .session import Outgoing, Session
from .wire import LONGEST

NEW, CONNECTING, OPEN, CLOSED = range(4)

_NO_LIMIT = LONGEST + 5
_NO_WINDOW = 0x10000
# QoS 2 ids a session may hold without PUBREL: MQTT 3.1.1 has no receive maximum to bound them.
_UNRELEASED = 16_384


class Exchange:
    """The messages under way on one connection; `Connection` gives it bytes and packets."""

    __slots__ = (
        "_alias_maximum_out",
        "_aliases",
        "_aliases_out",
        "_awaiting",
        "_out",
        "_peer_bytes",
        "_problems",
        "_resend",
        "_state",
        "_unreleased",
        "_window_in",
        "_window_out",
        "congested",
        "limits",
        "sent",
        "session",
        "version",
    )

    def __init__(self, limits: Limits, version: int, session: Session) -> None:
        self.limits = limits
        self.version = version
        self.session = session
        self._state = NEW
        self._out: list[bytes] = []
        # QoS 1 and 2 messages received: the QoS until the owner acknowledges, then the answer,
        # kept until its turn comes [MQTT-4.6.0-2, -3].
        self._awaiting: dict[int, int | bytes] = {}
        self._unreleased: set[int] | None = None
        self._window_in = _NO_WINDOW
        self._window_out = limits.send_maximum
        self._peer_bytes = _NO_LIMIT
        self._problems = True  # The peer takes reason strings on any packet.
        self._resend: list[int] = []
        self._aliases: dict[int, str] | None = None
        # Aliases given to topics of messages out, and how many the peer takes.
        self._aliases_out: dict[str, int] | None = None
        self._alias_maximum_out = 0
        self.congested = False
        """Set by the owner while the peer does not read what it is sent: QoS 0 is dropped."""
        self.sent = 0
        """How many PUBLISH packets were sent, repeats among them."""

    @property
    def is_open(self) -> bool:
        """Whether CONNECT was accepted and neither side has ended the connection."""
        return self._state == OPEN

    @property
    def is_closed(self) -> bool:
        """Whether the connection is over: send what `take` gives, then close the socket."""
        return self._state == CLOSED

    @property
    def unacknowledged(self) -> int:
        """How many received messages wait for `acknowledge`, or for their turn after it."""
        return len(self._awaiting)

    def take(self) -> bytes:
        """Fetch the bytes to send, emptying the buffer."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def acknowledge(self, packet_id: int, reason_code: int = 0, reason: str = "") -> None:
        """Answer a received message of QoS 1 or 2: the owner has made it durable or refuses it.

        May be called in any order; the answers leave in the order the messages came. May be
        called after the connection has closed, which still marks a QoS 2 message as taken in
        the session. Ids that wait for nothing are ignored. MQTT 3.1.1 cannot say no: a
        `reason_code` of 0x80 or above ends its connection.
        """
        awaiting = self._awaiting
        qos = awaiting.get(packet_id)
        if qos == 1 and not reason_code and len(awaiting) == 1 and self._state == OPEN:
            del awaiting[packet_id]
            self._out.append(b"\x40\x02" + packet_id.to_bytes(2, "big"))
            return
        self._mark(packet_id, reason_code, reason)
        self._flush()

    def acknowledge_many(self, packet_ids: Iterable[int]) -> None:
        """Acknowledge several received messages at once."""
        for packet_id in packet_ids:
            self._mark(packet_id, 0, "")
        self._flush()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        now: float,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
        reference: str | None = None,
    ) -> Delivery:
        """Send a message, or queue it in the session until the other side has room.

        Properties are left out for MQTT 3.1.1; the message expiry interval counts all the same.
        A message of QoS 1 or 2 given to a closed connection waits in the session.

        Raises:
            ProtocolError: topic, QoS, payload or properties do not fit MQTT.
        """
        properties = properties or {}
        expiry = properties.get("message_expiry_interval")
        expires_at = None if expiry is None else now + expiry
        message = Outgoing(topic, payload, qos, retain, properties, reference, expires_at)
        return self.send(message, now)

    def send(self, message: Outgoing, now: float) -> Delivery:
        """Do what `publish` does with a message that other connections may be sent as well.

        Raises:
            ProtocolError: topic, QoS, payload or properties do not fit MQTT.
        """
        session, is_open = self.session, self._state == OPEN
        if not message.qos:
            if not is_open:
                return Delivery.OFFLINE
            if self.congested:
                return Delivery.CONGESTED
            return Delivery.SENT if self._transmit(0, message, now) else Delivery.TOO_LARGE
        if (
            is_open
            and not self.congested
            and not session.queue
            and not self._resend
            and len(session.inflight) < self._window_out
        ):
            packet_id = session.next_packet_id()
            if not self._transmit(packet_id, message, now):
                return Delivery.TOO_LARGE
            session.inflight[packet_id] = message
            session.changed = True
            return Delivery.SENT
        head, tail = message.parts(self.version, now)
        if len(head) + 2 + len(tail) > self._peer_bytes:
            return Delivery.TOO_LARGE
        limits = self.limits
        if session.enqueue(message, limits.queue_messages, limits.queue_bytes, now):
            return Delivery.QUEUED
        return Delivery.QUEUE_FULL

    def relieve(self, now: float) -> list[Event]:
        """Send what has waited while the peer did not read; returns what was dropped."""
        self.congested = False
        events: list[Event] = []
        if self._state == OPEN:
            self._pump(events, now)
        return events

    # --- For those who build on this ----------------------------------------------------------

    def _check_publish(self, packet: Publish) -> None:
        """Refuse a PUBLISH this side announced not to take; raises ProtocolError."""
        raise NotImplementedError

    def _refuse(self, error: ProtocolError) -> None:
        """Tell the other side what was wrong and close."""
        raise NotImplementedError

    def _begin(self, events: list[Event], now: float) -> None:
        """Open for messages: send again what is under way, then what waits."""
        self._state = OPEN
        if self.version == V5:
            self._window_in = self.limits.receive_maximum
        self._resend = list(self.session.inflight)
        self._pump(events, now)

    def _take_aliases(self, announced: Properties) -> None:
        """Use topic aliases as far as the peer has announced to take them."""
        most = min(self.limits.send_aliases, announced.get("topic_alias_maximum", 0))
        self._alias_maximum_out, self._aliases_out = most, {} if most else None

    def _explain(self, reason: str, packet: int, limited: bool = True) -> Properties:
        """Make the properties for a reason string, if the peer takes one on this packet."""
        if not reason or self.version != V5 or (limited and not self._problems):
            return {}
        properties: Properties = {"reason_string": reason}
        # A reason that makes the packet too long for the peer is left out [MQTT-3.2.2-19].
        size = len(encode_properties(properties, packet)) + 16
        return properties if size <= self._peer_bytes else {}

    # --- Messages in --------------------------------------------------------------------------

    def _published(self, packet: Publish, events: list[Event]) -> None:
        self._check_publish(packet)
        if "topic_alias" in packet.properties:
            packet = self._unalias(packet)
        packet_id = packet.packet_id
        if packet.qos:
            if packet_id in self._awaiting:
                if packet.dup:
                    return  # Its answer is due already.
                raise breach(f"The packet identifier {packet_id} is in use.")
            if packet.qos == 2 and packet_id in self.session.received:
                # Taken before, perhaps on an earlier connection: answer again [MQTT-4.3.3-10].
                self._awaiting[packet_id] = encode_answer(0x50, packet_id)
                self._flush()
                return
            if len(self._awaiting) >= self._window_in:
                raise ProtocolError(
                    ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
                    f"More than {self.limits.receive_maximum} messages are unacknowledged.",
                )
            self._awaiting[packet_id] = packet.qos
        events.append(packet)

    def _unalias(self, packet: Publish) -> Publish:
        properties = packet.properties
        alias = properties.pop("topic_alias")
        if alias > self.limits.topic_alias_maximum:
            raise ProtocolError(
                ReasonCode.TOPIC_ALIAS_INVALID,
                f"The topic alias {alias} is above {self.limits.topic_alias_maximum}.",
            )
        if self._aliases is None:
            self._aliases = {}
        if packet.topic:
            self._aliases[alias] = packet.topic
            return packet
        if alias not in self._aliases:
            raise breach(f"The topic alias {alias} was never set.")
        return packet._replace(topic=self._aliases[alias])

    def _released(self, packet: PubRel, events: list[Event]) -> None:
        packet_id = packet.packet_id
        if packet_id in self._awaiting:
            raise breach(f"PUBREL for {packet_id} came before its PUBREC.")
        code = 0
        if packet_id in self.session.received:
            self.session.received.remove(packet_id)
            self.session.changed = True
            events.append(Released(packet_id))
        elif self.version == V5:
            code = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        if self._unreleased and packet_id in self._unreleased:
            self._unreleased.remove(packet_id)
            self._window_in += 1
        self._out.append(encode_answer(0x70, packet_id, code))

    def _mark(self, packet_id: int, reason_code: int, reason: str) -> None:
        """Turn the entry of a message that waits into its answer."""
        qos = self._awaiting.get(packet_id)
        if not isinstance(qos, int):
            return
        if qos == 2 and reason_code < 0x80:
            self.session.take(packet_id)
        elif qos == 2:
            self.session.received.discard(packet_id)
        if self._state != OPEN:
            del self._awaiting[packet_id]
            return
        kind = p.PUBACK if qos == 1 else p.PUBREC
        if self.version == V311:
            if reason_code >= 0x80:
                del self._awaiting[packet_id]
                self._refuse(ProtocolError(ReasonCode(reason_code), reason))
                return
            reason_code, reason = 0, ""
        tail = b""
        if properties := self._explain(reason, kind):
            tail = encode_properties(properties, kind)
        self._awaiting[packet_id] = encode_answer(kind << 4, packet_id, reason_code, tail)

    def _flush(self) -> None:
        """Send the answers whose turn has come."""
        awaiting = self._awaiting
        ready = []
        for packet_id, answer in awaiting.items():
            if isinstance(answer, int):
                break
            ready.append(packet_id)
            self._out.append(answer)
            if answer[0] == 0x50 and self.version == V5 and packet_id in self.session.received:
                # Until PUBCOMP it counts against the receive maximum.
                self._unreleased = self._unreleased or set()
                self._unreleased.add(packet_id)
                self._window_in = self.limits.receive_maximum - len(self._unreleased)
        for packet_id in ready:
            del awaiting[packet_id]
        if self._state == OPEN and len(self.session.received) > _UNRELEASED:
            self._refuse(
                ProtocolError(ReasonCode.QUOTA_EXCEEDED, "Too many messages without PUBREL.")
            )

    # --- Messages out -------------------------------------------------------------------------

    def _alias(self, message: Outgoing, now: float) -> Parts | None:
        """Encode a message with the alias of its topic; None if it has none, nor can have one."""
        aliases = self._aliases_out
        if aliases is None:
            return None
        if (alias := aliases.get(message.topic)) is not None:
            return message.aliased(alias, named=False, now=now)
        if len(aliases) >= self._alias_maximum_out:
            return None
        parts = message.aliased(len(aliases) + 1, named=True, now=now)
        if sum(map(len, parts)) + 2 > self._peer_bytes:
            return None
        aliases[message.topic] = len(aliases) + 1
        return parts

    def _transmit(
        self, packet_id: int, message: Outgoing, now: float, *, dup: bool = False
    ) -> bool:
        """Send a message; False if it is longer than the other side takes."""
        out = self._out
        if message.released:
            out.append(encode_answer(0x62, packet_id))
            return True
        head, tail = self._alias(message, now) or message.parts(self.version, now)
        if not packet_id:
            if len(head) > self._peer_bytes:
                return False
            out.append(head)
            self.sent += 1
            return True
        if len(head) + 2 + len(tail) > self._peer_bytes:
            return False
        out += (repeated(head) if dup else head, packet_id.to_bytes(2, "big"), tail)
        self.sent += 1
        return True

    def _pump(self, events: list[Event], now: float) -> None:
        """Send what waits, as far as the other side has room."""
        session, resend = self.session, self._resend
        inflight = session.inflight
        if self.congested:
            return
        while resend and len(inflight) - len(resend) < self._window_out:
            packet_id = resend.pop(0)
            message = inflight[packet_id]
            if not self._transmit(packet_id, message, now, dup=True):
                del inflight[packet_id]
                session.changed = True
                events.append(Dropped(message.reference, expired=False))
        while session.queue and not resend and len(inflight) < self._window_out:
            message = session.dequeue()
            session.changed = True
            if message.expires_at is not None and message.expires_at <= now:
                events.append(Dropped(message.reference, expired=True))
                continue
            packet_id = session.next_packet_id()
            if self._transmit(packet_id, message, now):
                inflight[packet_id] = message
            else:
                events.append(Dropped(message.reference, expired=False))

    def _acknowledged(
        self, packet_id: int, code: int, properties: Properties, events: list[Event], now: float
    ) -> None:
        message = self.session.inflight.get(packet_id)
        if message is None:
            return  # An answer to what an earlier session sent.
        if message.qos != 1:
            raise breach(f"PUBACK for {packet_id}, which has QoS 2.")
        events.append(Acknowledged(packet_id, code, message.reference, properties))
        self._settle(packet_id, events, now)

    def _recorded(self, packet: PubRec, events: list[Event], now: float) -> None:
        packet_id = packet.packet_id
        message = self.session.inflight.get(packet_id)
        if message is None:
            code = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if self.version == V5 else 0
            self._out.append(encode_answer(0x62, packet_id, code))
            return
        if message.qos != 2:
            raise breach(f"PUBREC for {packet_id}, which has QoS 1.")
        if not message.released:
            code, reference = packet.reason_code, message.reference
            events.append(Acknowledged(packet_id, code, reference, packet.properties))
        if packet.reason_code >= 0x80:
            self._settle(packet_id, events, now)
            return
        # The message itself is never sent again [MQTT-4.3.3-6].
        self.session.inflight[packet_id] = Outgoing("", b"", 2, released=True)
        self.session.changed = True
        self._out.append(encode_answer(0x62, packet_id))

    def _completed(self, packet: PubComp, events: list[Event], now: float) -> None:
        message = self.session.inflight.get(packet.packet_id)
        if message is None:
            return
        if not message.released:
            raise breach(f"PUBCOMP for {packet.packet_id}, which was not released.")
        self._settle(packet.packet_id, events, now)

    def _settle(self, packet_id: int, events: list[Event], now: float) -> None:
        del self.session.inflight[packet_id]
        self.session.changed = True
        if self._resend and packet_id in self._resend:
            self._resend.remove(packet_id)
        if self.session.queue or self._resend:
            self._pump(events, now)
