"""What outlives a connection: QoS 1 and 2 exchanges under way, and messages that wait."""

from dataclasses import dataclass, field

from .properties import Properties


@dataclass(slots=True)
class Outgoing:
    """A message on its way to the other side."""

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
    """QoS 2: PUBREC has come, PUBREL was sent, PUBCOMP is awaited."""


@dataclass(slots=True)
class Session:
    """Session state of section 4.1, without subscriptions, which the owner keeps.

    A plain value: whoever wants it to survive a restart stores its fields.
    """

    received: set[int] = field(default_factory=set)
    """Packet ids of QoS 2 messages taken (PUBREC due or sent) and not yet released by PUBREL."""
    inflight: dict[int, Outgoing] = field(default_factory=dict)
    """Messages sent and not settled, by packet id, in the order they were first sent."""
    queue: list[Outgoing] = field(default_factory=list)
    """Messages that wait to be sent for the first time, oldest first."""
    last_packet_id: int = 0

    def next_packet_id(self) -> int:
        """Take the next packet id, 1 to 65,535, that no message under way uses."""
        packet_id = self.last_packet_id
        while True:
            packet_id = packet_id % 0xFFFF + 1
            if packet_id not in self.inflight:
                self.last_packet_id = packet_id
                return packet_id
