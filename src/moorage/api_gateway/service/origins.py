"""Pages of other sites: which may ask, and for whom."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from moorage import oauth, organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import FieldInvalid
from moorage.organizations import Permission

from ..errors import OriginUnknown
from ..facts import OriginAllowed, OriginRemoved
from ..model import Origin
from ..store import origins as store
from . import plans

# A client or an organisation that goes takes its origins along.
_FACTS = ("api_gateway.origin_", "oauth.client_removed", "organizations.dissolved")
_PORTS = {"https": 443, "http": 80}


class Origins:
    """The sites whose pages may ask, for one process."""

    def __init__(self, doorbells: Doorbells) -> None:
        self._for: Mapping[str, list[tuple[UUID | None, UUID | None]]] = {}
        self._changed = asyncio.Event()
        doorbells.on(FACTS_CHANNEL, self._told)

    def _told(self, names: str) -> None:
        if not names or any(name.startswith(_FACTS) for name in names.split(",")):
            self._changed.set()

    async def read(self, tx: Tx) -> None:
        """Read which there are."""
        found = defaultdict(list)
        for origin, organization_id, client_id in await store.everything(tx):
            found[origin].append((organization_id, client_id))
        self._for = dict(found)

    async def run(self, database: Database) -> None:
        """Follow changes until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with database.begin() as tx:
                    await self.read(tx)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self._changed.set()

    def knows(self, origin: str) -> bool:
        """Tell whether pages of a site may ask for anybody at all."""
        return origin in self._for

    def allows(self, origin: str, caller: Caller) -> bool:
        """Tell whether pages of a site may ask for this caller."""
        return any(
            _covers(caller, organization_id, client_id)
            for organization_id, client_id in self._for.get(origin, ())
        )


def _covers(caller: Caller, organization_id: UUID | None, client_id: UUID | None) -> bool:
    if client_id is not None:
        return caller.client_id == client_id
    if organization_id is None:
        return True
    if caller.is_program:
        return caller.organization_id == organization_id
    # Who may everything everywhere is not for every organisation's pages to ask for.
    return any(grant.organization_id == organization_id for grant in caller.grants)


async def allow(
    tx: Tx, caller: Caller, organization_id: UUID | None, client_id: UUID | None, origin: str
) -> Origin:
    """Let pages of a site ask for an organisation's people and programs, or for one client.

    Raises:
        OrganizationUnknown, ClientUnknown, PermissionMissing, InstallationOnly, OriginThere.
        FieldInvalid: it is no origin, or the client belongs elsewhere.
    """
    if client_id is not None:
        home = (await oauth.get_client(tx, caller, client_id)).organization_id
        if organization_id not in (None, home):
            raise FieldInvalid("/clientId", "is a client of another organization.")
        organization_id = home
    elif organization_id is not None:
        await organizations.get(tx, caller, organization_id)
    plans.require(caller, organization_id)
    made = await store.add(tx, organization_id, client_id, normal(origin))
    tx.announce(OriginAllowed(made.id, organization_id, after=_view(made)))
    return made


async def get(tx: Tx, caller: Caller, origin_id: UUID) -> Origin:
    """Read one. Raises OriginUnknown."""
    found = await store.get(tx, origin_id)
    if not caller.may(Permission.READ_ORGANIZATION, found.organization_id):
        raise OriginUnknown(id=origin_id)
    return found


async def list_origins(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    client_id: UUID | None = None,
) -> pages.Page[Origin]:
    """List those of the caller's organisations."""
    seen = caller.reach(Permission.READ_ORGANIZATION)
    return await store.list_origins(
        tx, seen, asked, organization_id=organization_id, client_id=client_id
    )


async def remove(tx: Tx, caller: Caller, origin_id: UUID) -> None:
    """Let pages of a site ask no longer.

    Raises:
        OriginUnknown, PermissionMissing, InstallationOnly.
    """
    found = await get(tx, caller, origin_id)
    plans.require(caller, found.organization_id)
    await store.remove(tx, origin_id)
    tx.announce(OriginRemoved(origin_id, found.organization_id, before=_view(found)))


def normal(origin: str) -> str:
    """Write an origin as browsers do (RFC 6454, section 6.2). Raises FieldInvalid."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise FieldInvalid("/origin", "is no origin.") from None
    host = parts.hostname or ""
    plain = host.isascii() and not set(host) & set("*%\\ ")
    if parts.scheme not in _PORTS or not host or not plain or "@" in parts.netloc:
        raise FieldInvalid("/origin", "must be like https://app.example.org, without wildcards.")
    if parts.path not in ("", "/") or parts.query or parts.fragment or origin[-1] in "?#":
        raise FieldInvalid("/origin", "must have no path: an origin is a whole site.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise FieldInvalid("/origin", "must be https, but for the machine of the browser itself.")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (
        "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _view(one: Origin) -> dict[str, Any]:
    return {"origin": one.origin, "client_id": one.client_id}
