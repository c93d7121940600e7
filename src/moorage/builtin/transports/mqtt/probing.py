"""Connections whose client may be silent for ever: the kernel looks whether it is still there."""

from __future__ import annotations

import asyncio
import socket

# A client that is gone without a word is found out after these together: ten minutes.
_SILENT_S, _EVERY_S, _TIMES = 300, 60, 5
_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _SILENT_S),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _EVERY_S),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", _TIMES),
)


def probe(transport: asyncio.BaseTransport) -> None:
    """Have the kernel end the connection once the other end answers no more (RFC 9293, 3.8.4).

    For a keep-alive of 0: nothing else would ever end what a network has forgotten. Options that a
    system does not know are left as they are.
    """
    open_socket = transport.get_extra_info("socket")
    if open_socket is None or open_socket.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for level, name, value in _OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            open_socket.setsockopt(level, option, value)
