"""Who is connected, since when, and why the last connection ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

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
class WillAsked:
    """What is to be published when a connection is lost, without its content.

    Attributes:
        topic: where to.
        qos: 0, 1 or 2.
        retain: whether it is to be retained.
        delay_s: how long after the loss, in seconds.
        size: of its content, in bytes.
    """

    topic: str
    qos: int
    retain: bool
    delay_s: int
    size: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed on when a connection came to be.

    Attributes:
        tls_version: such as `TLSv1.3`; empty without TLS.
        cipher: the cipher suite, by OpenSSL's name; empty without TLS.
        keep_alive_s: after one and a half times so many seconds of silence it ends; 0 for never.
        session_expiry_s: how long its session outlives it, in seconds.
        will: what is published when it is lost; None for nothing.
    """

    tls_version: str
    cipher: str
    keep_alive_s: int
    session_expiry_s: int
    will: WillAsked | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a connection; None where it was not.

    Attributes:
        round_trip_ms: smoothed by the kernel of the listener that the client is connected to
            (TCP_INFO): from a segment sent until the other end of the TCP connection, which may be
            a proxy's, has acknowledged it. Milliseconds.
        bytes_in, bytes_out: of the TCP connection, with TLS and WebSocket framing; out counts what
            was acknowledged.
        messages_in: PUBLISH packets taken in; what is sent again and known already is not counted.
        messages_out: PUBLISH packets sent, repeats among them.
        queued: messages that wait for the client: not sent yet, or sent and not acknowledged.
    """

    round_trip_ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    messages_in: int | None = None
    messages_out: int | None = None
    queued: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of an open connection.

    Attributes:
        number: the device in the message path; of a program it says nothing.
        client_id: tells a device's connections apart.
        figures: those of the listener that says so; what it cannot know is None.
        key_id: the API key of a program; None of a device.
    """

    number: int
    client_id: str
    figures: Figures
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PresenceEvent:
    """A connection of a device or a program came, went or was heard of again.

    Attributes:
        number: the device in the message path; of a program it says nothing.
        connected: False when it went.
        client_id: tells a device's connections apart.
        cause: of the end: `client`, `keep-alive`, `lost`, `taken-over`, `revoked`, `protocol`,
            `overload`, `shutdown`, `listener-lost`, `fault` of the server's, `ended` by somebody.
        terms: of a connection that came, where they are known.
        figures: of one that went, where they are known.
        key_id: the API key of a program; None of a device.
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
    terms: Terms | None = None
    figures: Figures | None = None
    key_id: UUID | None = None


class TracedPacket(msgspec.Struct, frozen=True, array_like=True):
    """One packet of a traced device's connection, or what happened to that connection.

    Attributes:
        at_us: microseconds since 1970.
        connection: tells the connections of one listener apart.
        client_id: of the connection; empty before CONNECT.
        direction: `in` from the device, `out` to it; empty for what is no packet.
        kind: the packet's name in MQTT, such as `PUBLISH`; `opened` and `closed` of the
            connection, `joined` where the trace begins in the middle of it, `malformed` for bytes
            that are no packet.
        size: of the whole packet, in bytes.
        packet_id: 0 where the packet has none.
        qos: of a PUBLISH; None of others.
        topic: of a PUBLISH; None of others.
        codes, reasons: the reason codes, and what they are called in the standard.
        details: what else the packet says that is no content, by name; secrets are left out.
        properties: of MQTT 5: name and value; those of authentication without their value.
        payload: the first bytes of a message; None where there is none.
        payload_size: its whole size, in bytes.
    """

    at_us: int
    connection: int
    client_id: str
    direction: str
    kind: str
    size: int = 0
    packet_id: int = 0
    qos: int | None = None
    dup: bool = False
    retain: bool = False
    topic: str | None = None
    codes: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    details: dict[str, Any] = {}
    properties: tuple[tuple[str, Any], ...] = ()
    payload: bytes | None = None
    payload_size: int = 0


@dataclass(frozen=True, slots=True)
class TracedBatch:
    """What one listener has written of a device's packets at once.

    Attributes:
        number: the device in the message path.
        n: counts the batches of that listener.
        dropped: how many packets before these were more than could be kept.
    """

    number: int
    listener_id: UUID
    n: int
    packets: tuple[TracedPacket, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody traces a device's packets.

    Attributes:
        number: the device in the message path.
        ends_at: when it ends by itself.
        shows_content: whether payloads and values of properties are shown.
    """

    id: UUID
    number: int
    device_id: UUID
    ends_at: datetime
    shows_content: bool


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
    """One connection of a device, the present or the last one of its client id.

    Attributes:
        listener: name of the listener that it is, or was, at; None once that has ended.
        terms: fields of `Terms`; None where they are not known.
        figures: fields of `Figures`; None before anything was measured.
        measured_at: when they were.
    """

    device_id: UUID
    device_name: str
    application_id: UUID
    client_id: str
    listener: str | None
    connected: bool
    connected_at: datetime
    last_contact_at: datetime
    disconnected_at: datetime | None
    cause: str | None
    protocol: str
    version: str
    address: str
    tls: bool
    terms: Mapping[str, Any] | None
    figures: Mapping[str, Any] | None
    measured_at: datetime | None


@dataclass(frozen=True, slots=True)
class PresenceFilter:
    """What a list of connections is narrowed by; None means not."""

    application_id: UUID | None = None
    organization_id: UUID | None = None
    device_id: UUID | None = None
    connected: bool | None = None
    version: str | None = None
    tls: bool | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is connected with an API key.

    Attributes:
        id: of this connection.
        organization_id: whose the key is; None for one of the whole installation.
        listener: name of the listener that it is at; None if that is not known any more.
        terms, figures, measured_at: as of a `Presence`.
    """

    id: UUID
    key_id: UUID
    key_name: str
    organization_id: UUID | None
    client_id: str
    listener: str | None
    connected_at: datetime
    protocol: str
    version: str
    address: str
    tls: bool
    terms: Mapping[str, Any] | None
    figures: Mapping[str, Any] | None
    measured_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProgramFilter:
    """What a list of programs is narrowed by; None means not."""

    organization_id: UUID | None = None
    key_id: UUID | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """A connection that somebody has asked to end.

    Attributes:
        number: the device in the message path; 0 of a program.
        key_id: the API key of a program; None of a device.
        digest: of the client id, as `digest_of` makes it: a client id may be too long for a ring.
    """

    number: int
    key_id: UUID | None
    digest: str


def digest_of(client_id: str) -> str:
    """Give what stands for a client id where that would be too long."""
    return hashlib.sha256(client_id.encode()).hexdigest()
