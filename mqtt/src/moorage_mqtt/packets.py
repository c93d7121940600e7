"""The control packets of MQTT 3.1.1 and 5 as values, one class for both versions.

`properties` is empty and `reason_code` 0 where version 3.1.1 has no such field. In CONNACK and
SUBACK of 3.1.1 the return codes stand where the reason codes do, as they are on the wire.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from .properties import Properties

V311 = 4
V5 = 5
# Beside the version in CONNECT: the client is a broker that passes messages on.
BRIDGE = 0x80


class Publish(NamedTuple):
    """PUBLISH; a named tuple because millions of them are made. `packet_id` is 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = {}  # Never changed: decoding makes a new one.


@dataclass(frozen=True, slots=True)
class Will:
    """The message a server publishes when the client is lost."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=Properties)

    @property
    def message_properties(self) -> Properties:
        """The properties that its PUBLISH carries: all but the delay, which is the server's."""
        properties = self.properties.copy()
        properties.pop("will_delay_interval", None)
        return properties


@dataclass(frozen=True, slots=True)
class Connect:
    """CONNECT; `version` is 4 or 5, `clean_start` is clean session in 3.1.1.

    `is_bridge` is said by brokers of 3.1.1 that pass messages on, in the top bit of the version, as
    Mosquitto began (mosquitto.conf(5), `try_private`).
    """

    client_id: str
    version: int = V5
    clean_start: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    properties: Properties = field(default_factory=Properties)
    is_bridge: bool = False


@dataclass(frozen=True, slots=True)
class ConnAck:
    """CONNACK."""

    session_present: bool = False
    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class PubAck:
    """PUBACK, the answer to QoS 1."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class PubRec:
    """PUBREC, the first answer to QoS 2."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class PubRel:
    """PUBREL, the answer to PUBREC."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class PubComp:
    """PUBCOMP, the answer to PUBREL."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One topic filter of a SUBSCRIBE with its options; all but `qos` are of MQTT 5."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE."""

    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class SubAck:
    """SUBACK, one reason code for each topic filter."""

    packet_id: int
    reason_codes: tuple[int, ...]
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """UNSUBSCRIBE."""

    packet_id: int
    topic_filters: tuple[str, ...]
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class UnsubAck:
    """UNSUBACK; version 3.1.1 has no reason codes."""

    packet_id: int
    reason_codes: tuple[int, ...] = ()
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class PingReq:
    """PINGREQ."""


@dataclass(frozen=True, slots=True)
class PingResp:
    """PINGRESP."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """DISCONNECT."""

    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH, of MQTT 5 only."""

    reason_code: int = 0
    properties: Properties = field(default_factory=Properties)


Packet = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
    | Auth
)
