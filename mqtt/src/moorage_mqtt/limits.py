"""What one side of a connection is willing to take."""

from dataclasses import dataclass

NEVER = 0xFFFFFFFF  # A session expiry interval that does not end.


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a server or client; what MQTT 5 lets a side announce is announced."""

    packet_bytes: int = 262_144
    """Longest packet taken, fixed header included; checked before its body is buffered."""
    first_packet_bytes: int = 32_768
    """The same for CONNECT, which comes from strangers."""
    connect_timeout_s: float = 10.0
    """Seconds from the start to an accepted CONNECT."""
    receive_maximum: int = 100
    """QoS 1 and 2 messages the other side may have under way towards this one."""
    send_maximum: int = 100
    """QoS 1 and 2 messages this side keeps under way; the peer's receive maximum lowers it."""
    queue_messages: int = 1_000
    """QoS 1 and 2 messages that wait while `send_maximum` are under way."""
    queue_bytes: int = 4_194_304
    """What those may take together."""
    send_aliases: int = 16
    """Topic aliases this side sets, if the other side takes so many."""
    topic_alias_maximum: int = 0
    """Topic aliases the other side may set; 0 refuses them."""
    maximum_qos: int = 2
    """Highest QoS of a PUBLISH taken; subscriptions are the owner's to grant."""
    keep_alive_s: int = 0
    """Longest keep-alive a server grants; 0 leaves it to the client. MQTT 5 is told."""
    session_expiry_s: int = NEVER
    """Longest session expiry interval a server grants. MQTT 5 is told."""
    retain_available: bool = True
    wildcard_subscriptions: bool = True
    subscription_identifiers: bool = True
    shared_subscriptions: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a broker keeps; what would be more is refused with QUOTA_EXCEEDED or gives way."""

    sessions: int = 16
    """Sessions of one principal; the oldest one without connection gives way."""
    subscriptions: int = 100
    """Topic filters of one session."""
    levels: int = 200
    """Levels of a topic filter, and of the topic of a retained message."""
    retained_messages: int = 100
    """Retained messages of one space of topics."""
    retained_bytes: int = 1_048_576
    """What those may take together."""
