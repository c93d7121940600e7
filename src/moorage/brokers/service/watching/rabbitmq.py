"""What RabbitMQ's management tells of connections, and by which it ends them.

Source: RabbitMQ 3.10, HTTP API of the management plugin (`/api/connections`).
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import msgspec

from moorage.kit.fetch import fetch
from moorage.kit.outbound import Outbound

from .attendance import Attendance, Visit

# It is asked again after this, or ten times as long as the answer took.
ASK_EVERY_S, SHARE = 2.0, 10
ANSWER_S, MOST_BYTES = 30.0, 64 * 1024 * 1024
_COLUMNS = "name,user,protocol,peer_host,ssl,variable_map"
_DONE = (200, 204, 404)


class _Connection(msgspec.Struct):
    name: str = ""
    user: str = ""
    protocol: str = ""
    peer_host: str = ""
    ssl: bool = False
    # A map, but an empty list where it has nothing.
    variable_map: Any = None


_read = msgspec.json.Decoder(list[_Connection]).decode


class Watching:
    """The management of a node.

    Args:
        network: the only way to open connections.
        url: of the management.
        user, password: the platform's, as it signs in for messages.
    """

    def __init__(self, network: Outbound, url: str, user: str, password: str) -> None:
        self._network, self._url = network, url.rstrip("/")
        basic = b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"authorization": f"Basic {basic}"}
        self._now = asyncio.Event()

    async def end(self, visit: Visit) -> None:
        """End a connection. Raises MoorageError."""
        await fetch(
            self._network,
            f"{self._url}/api/connections/{quote(visit.key, safe='')}",
            most_bytes=65_536,
            timeout_s=ANSWER_S,
            method="DELETE",
            headers=self._headers | {"x-reason": "The device has changed."},
            taken=_DONE,
        )

    async def watch(self, attendance: Attendance) -> None:
        """Ask again and again who is there. Raises MoorageError, ValueError."""
        while True:
            asked_at = time.monotonic()
            visits = {one.name: _visit(one) for one in await self._listed()}
            await attendance.are(visits, asked_at)
            took_s = time.monotonic() - asked_at
            await asyncio.sleep(max(ASK_EVERY_S, SHARE * took_s))

    async def _listed(self) -> list[_Connection]:
        found = await fetch(
            self._network,
            f"{self._url}/api/connections?columns={_COLUMNS}",
            most_bytes=MOST_BYTES,
            timeout_s=ANSWER_S,
            headers=self._headers,
        )
        return _read(found)


def _visit(one: _Connection) -> Visit:
    protocol, _, version = one.protocol.partition(" ")
    told = one.variable_map if isinstance(one.variable_map, dict) else {}
    client_id = str(told.get("client_id", ""))
    return Visit(
        one.name, one.user, client_id, one.peer_host, protocol.lower(), version, tls=one.ssl
    )
