"""Bodies of the routes of presence and traces."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from moorage.devices import Connectivity
from moorage.kit.http import Body, Instant, Out

from .model import TracedBatch, TracedPacket


class WillOut(Out):
    """What is published when a connection is lost; `size` is that of its content, in bytes."""

    topic: str
    qos: int
    retain: bool
    delay_s: int
    size: int


class TermsOut(Out):
    """What was agreed on when a connection came to be.

    `keepAliveS` is 0 where the client may be silent for ever.
    """

    tls_version: str
    cipher: str
    keep_alive_s: int
    session_expiry_s: int
    will: WillOut | None


class FiguresOut(Out):
    """What was measured of a connection.

    `roundTripMs` is the kernel's smoothed estimate (TCP_INFO) of how long the other end of the TCP
    connection, which may be a proxy, takes to acknowledge; not how long the device takes to answer.
    Bytes are those of the TCP connection, messages PUBLISH packets, repeats among them. `queued` is
    how many messages wait for the client, those among them that it has not acknowledged.
    """

    round_trip_ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    messages_in: int | None = None
    messages_out: int | None = None
    queued: int | None = None


class PresenceOut(Out):
    """One connection of a device; `listener` is the name of where it is, or was."""

    device_id: UUID
    device_name: str
    application_id: UUID
    client_id: str
    listener: str | None
    connected: bool
    connected_at: Instant
    last_contact_at: Instant
    disconnected_at: Instant | None
    cause: str | None
    protocol: str
    version: str
    address: str
    tls: bool
    terms: TermsOut | None
    figures: FiguresOut | None
    measured_at: Instant | None


class ProgramOut(Out):
    """A program that is connected with an API key.

    `organizationId` is null where the key is one of the whole installation.
    """

    id: UUID
    key_id: UUID
    key_name: str
    organization_id: UUID | None
    client_id: str
    listener: str | None
    connected_at: Instant
    protocol: str
    version: str
    address: str
    tls: bool
    terms: TermsOut | None
    figures: FiguresOut | None
    measured_at: Instant | None


class EndBody(Body):
    """Which of a device's connections is to end."""

    client_id: str = Field(max_length=65_535, examples=["pump-1"])


class DevicePresenceOut(Out):
    """Whether a device is connected, when it was last heard of, and its connections."""

    connectivity: Connectivity
    last_seen_at: Instant | None
    silent_since: Instant | None
    connections: list[PresenceOut]


class PacketOut(Out):
    """A packet of a traced device's connection, or what happened to that connection.

    `connection` tells connections apart. `kind` is the packet's name in MQTT; `opened`, `joined`
    (the trace began in the middle of it) and `closed` of the connection; `malformed` for bytes that
    are no packet. `size` is that of the whole packet in bytes, `payload` the first 256 bytes in
    base64. Without the right to read messages `payload` and the values of `properties` are null.
    """

    at: Instant
    connection: str
    client_id: str
    direction: str
    kind: str
    size: int
    packet_id: int | None
    qos: int | None
    dup: bool
    retain: bool
    topic: str | None
    codes: list[int]
    reasons: list[str]
    details: dict[str, Any]
    properties: list[tuple[str, Any]]
    payload: str | None
    payload_size: int | None


def packet_out(batch: TracedBatch, packet: TracedPacket, shows_content: bool) -> dict[str, Any]:
    """Write a packet as `PacketOut`; many of them a second, so not by way of it.

    Args:
        batch: what it was written with.
        packet: itself.
        shows_content: whether payloads and the values of properties are shown.
    """
    at = datetime.fromtimestamp(packet.at_us / 1_000_000, UTC)
    payload = packet.payload if shows_content else None
    properties = packet.properties
    return {
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "connection": f"{batch.listener_id.hex[-6:]}-{packet.connection}",
        "clientId": packet.client_id,
        "direction": packet.direction,
        "kind": packet.kind,
        "size": packet.size,
        "packetId": packet.packet_id or None,
        "qos": packet.qos,
        "dup": packet.dup,
        "retain": packet.retain,
        "topic": packet.topic,
        "codes": packet.codes,
        "reasons": packet.reasons,
        "details": packet.details,
        "properties": [(name, value if shows_content else None) for name, value in properties],
        "payload": None if payload is None else base64.b64encode(payload).decode(),
        "payloadSize": None if packet.payload is None else packet.payload_size,
    }
