"""What `receive` tells its owner, beside the packets themselves."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)
from .properties import Properties


class Acknowledged(NamedTuple):
    """The other side has taken over a message of QoS 1 (PUBACK) or 2 (PUBREC), or refused it.

    A reason code of 0x80 or above is a refusal; the message is not sent again.
    """

    packet_id: int
    reason_code: int
    reference: str | None
    properties: Properties


class Released(NamedTuple):
    """The other side has sent PUBREL for a message of QoS 2 taken: it will not send it again."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A queued message was not sent: it expired, or is longer than the other side takes."""

    reference: str | None
    expired: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The connection is over: a rule was broken or a deadline passed.

    What the other side has to be told is in `take()`.
    """

    reason_code: int
    text: str


class Delivery(Enum):
    """What became of a message given to `publish`."""

    SENT = "sent"
    QUEUED = "queued"
    QUEUE_FULL = "queue_full"
    TOO_LARGE = "too_large"
    """Longer than the other side takes: dropped, as MQTT 5 asks [MQTT-3.1.2-25]."""
    OFFLINE = "offline"
    """QoS 0 on a connection that is not open."""
    CONGESTED = "congested"
    """QoS 0 to a peer that does not read: dropped."""


Event = (
    Publish
    | Acknowledged
    | Released
    | Dropped
    | Failed
    | Connect
    | Subscribe
    | Unsubscribe
    | Disconnect
    | Auth
    | ConnAck
    | SubAck
    | UnsubAck
)
