"""The way in over TLS: the handshake, and what to tell of one that fails.

A server of asyncio keeps a failed handshake to itself, so the most common mistakes would never be
seen. `connect_accepted_socket` raises it; the connection is the same otherwise.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING

import structlog

from moorage.plugin import Refusal

from .link import Link

if TYPE_CHECKING:
    from .door import Door

log = structlog.get_logger()

_PAUSE_S = 0.5

# What OpenSSL says of a first record that is none. Newer ones (3.2) put the last in its place.
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE"}
)
_DISTRUST = (
    "The client does not trust the certificate of this door. Give it the authority's file "
    "(tls/authority.pem where the certificate was made here), and the host name or address that "
    "stands in the certificate."
)
_CLOCK = "The client holds the certificate of this door for expired. Look at its clock."
_OLD = "The client's version of TLS is too old; the door takes 1.2 and newer."
_CIPHER = "The client and the door have no cipher in common."
_LATE = "The client began a TLS handshake and did not finish it in time."
_TOLD = {
    "UNKNOWN_CA": _DISTRUST,
    "BAD_CERTIFICATE": _DISTRUST,
    "CERTIFICATE_UNKNOWN": _DISTRUST,
    "CERTIFICATE_EXPIRED": _CLOCK,
    "PROTOCOL_VERSION": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "VERSION_TOO_LOW": _OLD,
    "HANDSHAKE_FAILURE": _CIPHER,
    "NO_SHARED_CIPHER": _CIPHER,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": _CIPHER,
    "NO_SUITABLE_KEY_SHARE": _CIPHER,
}


async def listen(hosts: str, port: int, backlog: int) -> list[socket.socket]:
    """Open listening sockets, one for each address of `hosts`. Raises OSError."""
    opened: list[socket.socket] = []
    try:
        for host in hosts.split(","):
            for family, _, _, _, address in await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            ):
                opened.append(socket.create_server(address, family=family, backlog=backlog))
                opened[-1].setblocking(False)
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened


async def accept(door: Door, listening: socket.socket, context: ssl.SSLContext) -> None:
    """Take connections until cancelled.

    Args:
        door: whose they become.
        listening: does not block; closed in the end.
        context: of the handshakes.
    """
    loop = asyncio.get_running_loop()
    with listening:
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except ConnectionError:
                continue  # It has gone again.
            except OSError as failed:  # No more files may be open; that passes.
                log.warning("mqtt_accept_failed", error=str(failed))
                await asyncio.sleep(_PAUSE_S)
                continue
            if door.has_room(peer[0]):
                door.spawn(_shake_hands(door, accepted, peer[0], context))
            else:
                accepted.close()


async def _shake_hands(
    door: Door, accepted: socket.socket, address: str, context: ssl.SSLContext
) -> None:
    door.handshakes += 1
    try:
        await asyncio.get_running_loop().connect_accepted_socket(
            partial(Link, door, tls=True),
            accepted,
            ssl=context,
            ssl_handshake_timeout=door.settings.limits.connect_timeout_s,
        )
    except OSError as failed:
        if refusal := _refusal(failed, address, door.settings.port):
            door.host.refused(refusal)
    finally:
        door.handshakes -= 1


def _refusal(failed: OSError, address: str, plain_port: int) -> Refusal | None:
    """Say why a handshake failed; None of a client that merely went away.

    The sentences are few, so that one address fills no list.
    """
    if isinstance(failed, ConnectionAbortedError):
        return Refusal("tls", _LATE, "mqtt", address)
    if not isinstance(failed, ssl.SSLError) or isinstance(failed, ssl.SSLEOFError):
        return None
    reason = failed.reason or "UNKNOWN"
    if reason in _NOT_TLS:
        spoke = "HTTP" if reason.startswith("HTTP") else "The client"
        text = (
            f"{spoke} came without TLS to the port of MQTT over TLS. Switch TLS on in the client, "
            f"or use port {plain_port}, which is without encryption."
        )
        return Refusal("no-tls", text, "mqtt", address)
    reason = reason.rpartition("ALERT_")[2]
    text = _TOLD.get(reason) or f"The TLS handshake failed: {reason.replace('_', ' ').lower()}."
    return Refusal("tls", text, "mqtt", address)
