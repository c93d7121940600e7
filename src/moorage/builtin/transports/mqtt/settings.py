"""What the MQTT door is told when it is made."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from moorage.plugin import Peers
from moorage_mqtt import Bounds, Copies, Limits

from .proxied import Networks


def default_limits() -> Limits:
    """Give the limits of one device's connection."""
    return Limits(
        packet_bytes=262_144,
        first_packet_bytes=32_768,
        connect_timeout_s=10.0,
        receive_maximum=200,
        send_maximum=20,
        queue_messages=100,
        queue_bytes=524_288,
        topic_alias_maximum=16,
        session_expiry_s=7 * 86_400,
    )


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Where the door listens and what it bears.

    Attributes:
        host, port: without encryption; several addresses are divided by commas, port 0 takes a free
            one.
        tls: context of the encrypted listener; None for none.
        websocket_port: on `host`, without encryption too; None for none. WebSocket is understood on
            the other ports as well.
        limits: of one connection.
        connections: how many at most; further ones are closed at once.
        bounds: of what is kept for one device: sessions, subscriptions, retained messages.
        is_open: anybody may publish and subscribe, and nothing enters the ledger (lab mode).
        copies: what a session gets of a message that several of its filters match.
        peers: how other listeners reach this one; None if there are none.
        trusted_proxies: who says by the PROXY protocol which client it speaks for; from these a
            connection always begins with its header, from others never.
        stop_timeout_s: seconds to wait for commits under way when stopping.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    tls_host: str = "127.0.0.1"
    tls_port: int = 8883
    tls: ssl.SSLContext | None = None
    websocket_port: int | None = None
    limits: Limits = field(default_factory=default_limits)
    connections: int = 20_000
    bounds: Bounds = field(default_factory=lambda: Bounds(sessions=4))
    is_open: bool = False
    copies: Copies = Copies.NAMED
    peers: Peers | None = None
    trusted_proxies: Networks = ()
    stop_timeout_s: float = 5.0
