"""Who is connected, since when, and why the last connection ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

SAID_GOODBYE = "client"
TAKEN_OVER = "taken-over"
LISTENER_LOST = "listener-lost"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener that lives.

    Attributes:
        id: of this life; the next one of the same name has another.
        name: its machine and port, such as `host:1883`.
        address: where other listeners reach it, as `host:port`; None where they cannot.
        version: of the platform.
        seen_at: when it last beat.
        connections: of devices, that are open there.
        devices: at home there.
        follows: how many others send it what is published there.
    """

    id: UUID
    name: str
    address: str | None
    version: str
    started_at: datetime
    seen_at: datetime
    connections: int = 0
    devices: int = 0
    follows: int = 0

    @property
    def machine(self) -> str:
        """Name of the machine it runs on."""
        return self.name.rpartition(":")[0]


@dataclass(frozen=True, slots=True)
class PresenceEvent:
    """A connection of a device came, went or was heard of again.

    Attributes:
        number: the device in the message path.
        connected: False when it went.
        client_id: tells a device's connections apart.
        cause: of the end: `client`, `keep-alive`, `lost`, `taken-over`, `revoked`, `protocol`,
            `shutdown`, `listener-lost`.
    """

    number: int
    connected: bool
    at: datetime
    client_id: str = ""
    protocol: str = "mqtt"
    version: str = ""
    address: str = ""
    tls: bool = False
    cause: str = ""


@dataclass(frozen=True, slots=True)
class KeptSession:
    """What a device finds again when it comes back under the same client id.

    Attributes:
        number: the device in the message path.
        client_id: names the session among the device's.
        state: subscriptions, messages under way and waiting, the will, as the door wrote them; None
            once the session is discarded.
        expiry_s: how long it outlives its connection, in seconds; 0 if only its will does.
        expires_at: when it ends; None while it is connected.
        will_delay_s: how long after the end of the connection its will is due; None without one.
        will_at: when that is; None while it is connected.
        shares: it subscribes to what devices share.
    """

    number: int
    client_id: str
    state: bytes | None
    expiry_s: int
    expires_at: datetime | None
    will_delay_s: int | None = None
    will_at: datetime | None = None
    shares: bool = False


@dataclass(frozen=True, slots=True)
class SharedMessage:
    """A message to a topic that devices of an application share.

    Attributes:
        number: whose it is: a device in the message path, or below zero a service.
        application_id: whose topic it is.
        place: in the order of the listener's such messages; 0 where no other listener may want it.
        topic: as the devices see it.
        message: as the door wrote it.
        retains: it is retained, or clears what is if it is `empty`.
        expires_at: when it ends; None for never.
    """

    number: int
    application_id: UUID
    place: int
    topic: str
    message: bytes
    retains: bool = False
    empty: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PassedMessage:
    """A `SharedMessage` as it is found again: by which listener, and at what place of its order."""

    application_id: UUID
    listener_id: UUID
    place: int
    message: bytes


@dataclass(frozen=True, slots=True)
class RetainedMessage:
    """The last retained message of one of a device's topics.

    Attributes:
        number: the device in the message path.
        topic: as the device sees it.
        message: as the door wrote it; None once it is cleared.
        expires_at: when it ends; None for never.
    """

    number: int
    topic: str
    message: bytes | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Presence:
    """One connection of a device, the present or the last one of its client id."""

    device_id: UUID
    client_id: str
    connected: bool
    connected_at: datetime
    last_contact_at: datetime
    disconnected_at: datetime | None
    cause: str | None
    protocol: str
    version: str
    address: str
    tls: bool


@dataclass(frozen=True, slots=True)
class PresenceFilter:
    """What a list of connections is narrowed by; None means not."""

    application_id: UUID | None = None
    organization_id: UUID | None = None
    device_id: UUID | None = None
    connected: bool | None = None
