"""What a NATS server tells its system account: who comes and goes, and whom it shall end.

Source: NATS documentation, "System Events" ($SYS.ACCOUNT.<id>.CONNECT and .DISCONNECT, CONNZ) and
nats-server 2.10, server/events.go ($SYS.REQ.SERVER.<id>.KICK).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from moorage.kit.outbound import Outbound

from ..nats import ACCOUNT, WATCHING, connected
from .attendance import Attendance, Visit

_EVENTS = f"$SYS.ACCOUNT.{ACCOUNT}.%s"
_LIST, _LIST_OF = "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.%s.CONNZ"
_KICK = "$SYS.REQ.SERVER.%s.KICK"
# Events may be lost, so the whole is looked at now and then.
LIST_EVERY_S = 60.0
# How long servers of a cluster are waited for, and how many connections one answer holds.
ANSWER_S, PAGE, KICK_S = 1.0, 1_000, 5.0
_CAUSES = {
    "Client Closed": "client",
    "Stale Connection": "keep-alive",
    "Duplicate Client ID": "taken-over",
    "Kicked": "revoked",
    "Authentication Expired": "revoked",
    "Protocol Violation": "protocol",
    "Parse Error": "protocol",
    "Slow Consumer (Pending Bytes)": "overload",
    "Slow Consumer (Write Deadline)": "overload",
    "Server Shutdown": "shutdown",
}
_encode = msgspec.json.Encoder().encode


class _Server(msgspec.Struct):
    id: str = ""


class _Client(msgspec.Struct):
    """A client of an event; `id` is the connection's, `user` what the platform called it."""

    id: int = 0
    host: str = ""
    user: str = ""
    client_type: str = ""
    client_id: str = ""


class _Event(msgspec.Struct):
    server: _Server = msgspec.field(default_factory=_Server)
    client: _Client = msgspec.field(default_factory=_Client)
    reason: str = ""


class _Connection(msgspec.Struct):
    cid: int = 0
    type: str = ""
    ip: str = ""
    authorized_user: str = ""
    mqtt_client: str = ""


class _Page(msgspec.Struct):
    total: int = 0
    connections: list[_Connection] = []


class _Listed(msgspec.Struct):
    server: _Server = msgspec.field(default_factory=_Server)
    data: _Page = msgspec.field(default_factory=_Page)


_read_event = msgspec.json.Decoder(_Event).decode
_read_listed = msgspec.json.Decoder(_Listed).decode


class Watching:
    """The system account of a server.

    Args:
        network: the only way to open connections.
        url: of the server.
        token: the platform's password there.
    """

    def __init__(self, network: Outbound, url: str, token: str) -> None:
        self._network, self._url, self._token = network, url, token
        self._client: Client | None = None

    async def end(self, visit: Visit) -> None:
        """End a connection. Raises nats.errors.Error."""
        if self._client is not None:
            server, _, number = visit.key.partition("/")
            asked = _encode({"cid": int(number)})
            # A server leaves alone what asks for no answer.
            await self._client.request(_KICK % server, asked, timeout=KICK_S)

    async def watch(self, attendance: Attendance) -> None:
        """Follow who comes and goes until the connection is lost.

        Raises:
            MoorageError, OSError, nats.errors.Error, TimeoutError: the server is not to be reached.
        """
        account = connected(self._network, self._url, WATCHING, self._token)
        async with account as (client, closed):
            told: asyncio.Queue[Msg] = asyncio.Queue()
            for what in ("CONNECT", "DISCONNECT"):
                await client.subscribe(_EVENTS % what, cb=told.put)
            self._client = client
            following = asyncio.create_task(self._follow(attendance, told))
            lost = asyncio.create_task(closed.wait())
            try:
                while not lost.done():
                    asked_at = time.monotonic()
                    visits = await self._listed(client)
                    await attendance.are({one.key: one for one in visits}, asked_at)
                    await asyncio.wait(
                        [lost, following],
                        timeout=LIST_EVERY_S,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if following.done():
                        following.result()
            finally:
                self._client = None
                lost.cancel()
                following.cancel()

    async def _follow(self, attendance: Attendance, told: asyncio.Queue[Msg]) -> None:
        while True:
            message = await told.get()
            try:
                event = _read_event(message.data)
            except msgspec.MsgspecError:
                continue
            key, client = f"{event.server.id}/{event.client.id}", event.client
            if message.subject.endswith(".DISCONNECT"):
                attendance.went(key, _CAUSES.get(event.reason, "lost"))
            else:
                await attendance.came(
                    _visit(key, client.user, client.client_type, client.client_id, client.host)
                )

    async def _listed(self, client: Client) -> Sequence[Visit]:
        """List the connections of every server."""
        visits: list[Visit] = []
        first = await _asked(client, _LIST, 0, all_servers=True)
        for listed in first:
            rest, seen = listed, len(listed.data.connections)
            visits += _visits(listed)
            while rest.data.connections and seen < rest.data.total:
                found = await _asked(client, _LIST_OF % listed.server.id, seen)
                if not found:
                    break
                rest = found[0]
                seen += len(rest.data.connections)
                visits += _visits(rest)
        return visits


async def _asked(
    client: Client, subject: str, offset: int, *, all_servers: bool = False
) -> list[_Listed]:
    """Ask one server or all for a page of connections; those that say nothing are left out."""
    found: list[_Listed] = []
    answered = asyncio.Event()

    async def answer(message: Msg) -> None:
        found.append(_read_listed(message.data))
        answered.set()

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=answer)
    try:
        asked = {"acc": ACCOUNT, "auth": True, "limit": PAGE, "offset": offset}
        await client.publish(subject, _encode(asked), reply=inbox)
        if all_servers:
            await asyncio.sleep(ANSWER_S)
        else:
            async with asyncio.timeout(ANSWER_S):
                await answered.wait()
    finally:
        await subscription.unsubscribe()
    return found


def _visits(listed: _Listed) -> list[Visit]:
    return [
        _visit(
            f"{listed.server.id}/{one.cid}", one.authorized_user, one.type, one.mqtt_client, one.ip
        )
        for one in listed.data.connections
    ]


def _visit(key: str, name: str, protocol: str, client_id: str, address: str) -> Visit:
    """Make a visit; the name is the one that the platform's own answer gave."""
    is_mqtt = protocol == "mqtt"
    return Visit(
        key, name, client_id, address, protocol or "nats", "3.1.1" if is_mqtt else "",
        certified=True,
    )  # fmt: skip
