"""Bodies of the presence routes."""

from __future__ import annotations

from uuid import UUID

from moorage.devices import Connectivity
from moorage.kit.http import Instant, Out


class PresenceOut(Out):
    """One connection of a device."""

    device_id: UUID
    client_id: str
    connected: bool
    connected_at: Instant
    last_contact_at: Instant
    disconnected_at: Instant | None
    cause: str | None
    protocol: str
    version: str
    address: str
    tls: bool


class DevicePresenceOut(Out):
    """Whether a device is connected, when it was last heard of, and its connections."""

    connectivity: Connectivity
    last_seen_at: Instant | None
    silent_since: Instant | None
    connections: list[PresenceOut]
