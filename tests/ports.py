"""Ports for the servers that tests start, none given twice while a test run lasts.

A port that the kernel lends and that is given back may be taken before the server has it: by an
outgoing connection, or by the next who asks, in this process or another. So these are below what
the kernel lends, and handed out in turn to all processes of this machine.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST = 10_000
_LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LAST_GIVEN = Path(tempfile.gettempdir(), f"moorage-tests-port-{os.getuid()}")


def free_ports(count: int) -> list[int]:
    """Give ports of the loopback that nobody listens on and nobody else is given."""
    below = int(_LENT.read_text().split()[0])
    given: list[int] = []
    with _LAST_GIVEN.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or FIRST)
        while len(given) < count:
            port = port + 1 if FIRST <= port < below - 1 else FIRST
            if _is_free(port):
                given.append(port)
        file.truncate(0)
        file.write(str(port))
    return given


def free_port() -> int:
    """Give one such port."""
    (port,) = free_ports(1)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what a closed connection left behind is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
