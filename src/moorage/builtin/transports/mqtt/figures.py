"""What can be said of an open connection: what was agreed on, and what the kernel measured."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from moorage.plugin import Figures, Measured, Service, Terms, WillAsked

if TYPE_CHECKING:
    from .door import Door
    from .line import Line

# Where in Linux' `struct tcp_info` (linux/tcp.h) stand the smoothed round trip in microseconds, and
# the bytes acknowledged and received.
_ROUND_TRIP = struct.Struct("=68xI")
_BYTES = struct.Struct("=120xQQ")


def terms_of(line: Line) -> Terms:
    """Tell what was agreed on with a client that was let in."""
    core, will = line.core, line.core.will
    asked = None
    if will is not None:
        delay_s = will.properties.get("will_delay_interval", 0)
        asked = WillAsked(will.topic, will.qos, will.retain, delay_s, len(will.payload))
    return Terms(*encryption_of(line), core.keep_alive_s, core.session_expiry_s, asked)


def encryption_of(line: Line) -> tuple[str, str]:
    """Give the version of TLS and the cipher suite of a client's connection; empty without TLS."""
    if line.is_carried:
        return line.carried_over
    tls = line.transport.get_extra_info("ssl_object") if line.tls else None
    if tls is None:
        return "", ""
    cipher = tls.cipher()
    return tls.version() or "", cipher[0] if cipher else ""


def figures_of(line: Line) -> Figures:
    """Measure a connection.

    Of one that is carried, the listener that the client came to knows what the kernel says, the
    other one the messages.
    """
    round_trip_ms = bytes_in = bytes_out = None
    if not line.is_carried:
        round_trip_ms, bytes_in, bytes_out = _ask_kernel(line.transport)
    if line.carrier is not None:
        return Figures(round_trip_ms, bytes_in, bytes_out)
    queued = None
    if line.kept is not None:
        session = line.kept.session
        queued = len(session.queue) + len(session.inflight)
    return Figures(round_trip_ms, bytes_in, bytes_out, line.messages_in, line.core.sent, queued)


def _ask_kernel(
    transport: asyncio.BaseTransport,
) -> tuple[float | None, int | None, int | None]:
    """Read round trip in milliseconds, bytes in and out; None where the system does not say."""
    open_socket = transport.get_extra_info("socket")
    if open_socket is None or sys.platform != "linux":
        return None, None, None
    try:
        found = open_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:  # The connection is gone.
        return None, None, None
    if len(found) < _BYTES.size:
        return None, None, None
    (round_trip_us,) = _ROUND_TRIP.unpack_from(found)
    bytes_out, bytes_in = _BYTES.unpack_from(found)
    return round_trip_us / 1000, bytes_in, bytes_out


def measure(door: Door, devices: Collection[int], programs: bool) -> Sequence[Measured]:
    """Measure the open connections of devices, and those that are carried from here.

    If told so, also those of all programs.
    """
    found = [
        Measured(kept.number, kept.client_id, figures_of(kept.link))
        for device in devices
        for kept in door.broker.of(device)
        if kept.link is not None and not kept.link.ended
    ]
    for one in door.carried:
        if one.device in devices:
            found.append(Measured(one.device, one.client_id, figures_of(one.link)))
    for kept in door.broker.connected() if programs else ():
        if isinstance(kept.sender, Service) and kept.link is not None:
            figures, key_id = figures_of(kept.link), kept.sender.caller.id
            found.append(Measured(0, kept.client_id, figures, key_id))
    return found
