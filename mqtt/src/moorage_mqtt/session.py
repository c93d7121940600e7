"""What outlives a connection: QoS 1 and 2 exchanges under way, and messages that wait."""

from dataclasses import dataclass, field
from math import ceil

from .encode import Parts, publish_parts
from .packets import V5
from .properties import Properties

# What a message that waits takes beside its topic and payload, roughly.
_OVERHEAD = 200


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way to other sides; one value may be under way on many connections.

    It is never changed, so what it is on the wire is encoded once for each version.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    properties: Properties = field(default_factory=Properties)
    reference: str | None = None
    """The owner's own name for the message; comes back with `Acknowledged` and `Dropped`."""
    expires_at: float | None = None
    """Seconds on the owner's clock; None without a message expiry interval."""
    released: bool = False
    """QoS 2: PUBREC has come, PUBREL was sent, PUBCOMP is awaited; nothing else is kept."""
    shared: str = ""
    """The shared subscription for whose group it is; empty if it is for the session alone."""
    also: "tuple[Outgoing, ...]" = ()
    """More copies for the same session, by other filters of it (see `Copies`)."""
    _encoded: dict[int, tuple[int, Parts]] | None = field(default=None, init=False, repr=False)

    @property
    def size(self) -> int:
        """Bytes it takes while it waits, roughly."""
        return _OVERHEAD + len(self.topic) + len(self.payload)

    def left_s(self, now: float) -> int:
        """Seconds until it expires, rounded up, 0 if it has; -1 if it never does."""
        return -1 if self.expires_at is None else max(0, ceil(self.expires_at - now))

    def parts(self, version: int, now: float) -> Parts:
        """Give what stands before and after the packet identifier on the wire, DUP not set.

        The message expiry interval is what is left of it [MQTT-3.3.2-6].

        Raises:
            ProtocolError: topic, QoS, payload or properties do not fit MQTT.
        """
        left = self.left_s(now)
        if self._encoded is None:
            self._encoded = {}
        elif (known := self._encoded.get(version)) is not None and known[0] == left:
            return known[1]
        properties = self._carried(left) if version == V5 else {}
        parts = publish_parts(self.topic, self.payload, self.qos, self.retain, properties, version)
        self._encoded[version] = left, parts
        return parts

    def aliased(self, alias: int, *, named: bool, now: float) -> Parts:
        """Give the same with a topic alias of MQTT 5, with the topic's name or without."""
        properties: Properties = {**self._carried(self.left_s(now)), "topic_alias": alias}
        topic = self.topic if named else ""
        return publish_parts(topic, self.payload, self.qos, self.retain, properties, V5)

    def _carried(self, left: int) -> Properties:
        if left < 0 or "message_expiry_interval" not in self.properties:
            return self.properties
        return {**self.properties, "message_expiry_interval": left}


@dataclass(slots=True)
class Session:
    """Session state of section 4.1, without subscriptions, which a broker keeps.

    A plain value: whoever wants it to survive a restart stores its fields.
    """

    received: set[int] = field(default_factory=set)
    """Packet ids of QoS 2 messages taken (PUBREC due or sent) and not yet released by PUBREL."""
    inflight: dict[int, Outgoing] = field(default_factory=dict)
    """Messages sent and not settled, by packet id, in the order they were first sent."""
    queue: list[Outgoing] = field(default_factory=list)
    """Messages that wait to be sent for the first time, oldest first."""
    queue_bytes: int = 0
    """What `queue` takes, roughly."""
    bounds: tuple[int, int] | None = None
    """How many messages may wait, and what they may take; None for the connection's limits."""
    last_packet_id: int = 0
    changed: bool = False
    """Set with every change; whoever stores the session clears it."""

    def next_packet_id(self) -> int:
        """Take the next packet id, 1 to 65,535, that no message under way uses."""
        packet_id = self.last_packet_id
        while True:
            packet_id = packet_id % 0xFFFF + 1
            if packet_id not in self.inflight:
                self.last_packet_id = packet_id
                return packet_id

    def take(self, packet_id: int) -> None:
        """Note a QoS 2 message as taken: sent again, it is answered and is no message."""
        self.received.add(packet_id)
        self.changed = True

    def enqueue(self, message: Outgoing, messages: int, size: int, now: float) -> bool:
        """Have a message wait; False if `messages` or `size` bytes wait already.

        The session's own bounds come first. What has expired makes room.
        """
        if self.bounds is not None:
            messages, size = self.bounds
        if len(self.queue) >= messages or self.queue_bytes + message.size > size:
            self.queue = [
                one for one in self.queue if one.expires_at is None or one.expires_at > now
            ]
            self.queue_bytes = sum(one.size for one in self.queue)
            if len(self.queue) >= messages or self.queue_bytes + message.size > size:
                return False
        self.queue.append(message)
        self.queue_bytes += message.size
        self.changed = True
        return True

    def dequeue(self) -> Outgoing:
        """Take the message that has waited longest; there must be one."""
        message = self.queue.pop(0)
        self.queue_bytes -= message.size
        return message
