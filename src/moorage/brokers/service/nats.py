"""Connections to NATS servers: who the platform is there, and where devices live."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client

from moorage.kit.outbound import Outbound

# The users that questions are sent to, and that are told who comes and goes; the account where
# devices live.
ASKED, WATCHING, ACCOUNT = "moorage-callout", "moorage-system", "DEVICES"
_PORT = 4222
CONNECT_TIMEOUT_S = 10.0


@contextlib.asynccontextmanager
async def connected(
    network: Outbound, url: str, user: str, token: str
) -> AsyncIterator[tuple[Client, asyncio.Event]]:
    """Connect to a server; gives the client, and what is set once the connection is lost.

    Raises:
        MoorageError: the guard's.
        OSError, nats.errors.Error, TimeoutError: it cannot be done.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORT
    address = (await network.resolve(host, port))[0]
    closed = asyncio.Event()

    async def at_end(*_lost: Any) -> None:
        closed.set()

    tls = ssl.create_default_context() if parts.scheme == "tls" else None
    # The address that was checked, and no other one that the server tells of.
    where = f"[{address}]" if ":" in address else address
    client: Client = await nats.connect(
        f"{parts.scheme}://{where}:{port}",
        user=user,
        password=token,
        name="moorage",
        tls=tls,
        tls_hostname=host if tls else None,
        allow_reconnect=False,
        connect_timeout=CONNECT_TIMEOUT_S,
        closed_cb=at_end,
        disconnected_cb=at_end,
        error_cb=at_end,
    )
    try:
        yield client, closed
    finally:
        await client.close()
