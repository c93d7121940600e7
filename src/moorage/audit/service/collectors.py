"""Collectors: where the audit and the system log are sent (SIEM, syslog servers, archives)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.ids import uuid7
from moorage.kit.outbound import client_context
from moorage.kit.secrets import Sealer
from moorage.organizations import Permission

from ..errors import CollectorsTooMany
from ..facts import CollectorAdded, CollectorChanged, CollectorRemoved
from ..model import Collector, NewCollector
from ..store import collectors as store

MOST_COLLECTORS = 20
# With the port where the URL has none: RFC 6587 has none of its own, RFC 5425 has 6514.
SCHEMES = {
    "syslog": 601, "syslog+tls": 6514, "tcp": None, "tcp+tls": None, "http": 80, "https": 443,
}  # fmt: skip
_TOLD = ("name", "url", "contents", "authority", "has_token", "paused")


async def add(tx: Tx, caller: Caller, new: NewCollector, sealer: Sealer) -> Collector:
    """Add a collector of the installation.

    Raises:
        InstallationOnly, FieldInvalid, CollectorNameTaken, CollectorsTooMany.
    """
    organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    _check(new.url, new.authority, new.token is not None)
    if await store.count(tx) >= MOST_COLLECTORS:
        raise CollectorsTooMany(limit=MOST_COLLECTORS)
    id_ = uuid7()
    made = await store.add(tx, id_, new, _sealed(sealer, id_, new.token))
    tx.announce(CollectorAdded(id_, after=_view(made)))
    return made


async def get(tx: Tx, caller: Caller, id_: UUID, *, lock: bool = False) -> Collector:
    """Read one. Raises InstallationOnly, CollectorUnknown."""
    organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    return await store.get(tx, id_, lock=lock)


async def list_collectors(
    tx: Tx, caller: Caller, asked: pages.PageRequest
) -> pages.Page[Collector]:
    """List them. Raises InstallationOnly."""
    organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    return await store.list_collectors(tx, asked)


async def change(
    tx: Tx, caller: Caller, id_: UUID, changes: Mapping[str, Any], sealer: Sealer
) -> Collector:
    """Change fields; the position stays.

    Raises:
        InstallationOnly, CollectorUnknown, FieldInvalid, CollectorNameTaken.
    """
    before = await get(tx, caller, id_, lock=True)
    columns = dict(changes)
    if "token" in columns:
        columns["sealed_token"] = _sealed(sealer, id_, columns.pop("token"))
    if "contents" in columns:
        columns["contents"] = [one.value for one in columns["contents"]]
    has_token = changes["token"] is not None if "token" in changes else before.has_token
    _check(columns.get("url", before.url), columns.get("authority", before.authority), has_token)
    after = await store.change(tx, id_, columns)
    was, now = difference(_view(before), _view(after))
    if changes.get("token") is not None:
        now |= {"token": "***"}
    tx.announce(CollectorChanged(id_, before=was, after=now))
    return after


async def remove(tx: Tx, caller: Caller, id_: UUID) -> None:
    """Remove one; it is sent nothing more. Raises InstallationOnly, CollectorUnknown."""
    before = await get(tx, caller, id_, lock=True)
    await store.remove(tx, id_)
    tx.announce(CollectorRemoved(id_, before=_view(before)))


async def seal_tokens_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal every token with the sealing key that is in use."""
    for id_, sealed in (await store.sealed_tokens(tx)).items():
        plain = sealer.open(sealed, _context(id_))
        await store.reseal(tx, id_, sealer.seal(plain, _context(id_)))


async def token_of(tx: Tx, id_: UUID, sealer: Sealer) -> str | None:
    """Open a collector's token; for the sender."""
    sealed = await store.sealed_token(tx, id_)
    return None if sealed is None else sealer.open(sealed, _context(id_)).decode()


def where(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port of a collector's URL. Raises FieldInvalid."""
    try:
        parts = urlsplit(url)
        port = parts.port or SCHEMES.get(parts.scheme)
    except ValueError:
        port = None
    else:
        plain = not (parts.username or parts.password or parts.fragment)
        if parts.scheme in SCHEMES and parts.hostname and port and plain:
            return parts.scheme, parts.hostname, port
    raise FieldInvalid(
        "/url",
        "must be such as syslog+tls://siem.example.org, tcp+tls://siem.example.org:5000 or "
        "https://siem.example.org/in, without a password in it",
    )


def _check(url: str, authority: str | None, has_token: bool) -> None:
    scheme, _host, _port = where(url)
    client_context(authority, None, None, at="")
    if has_token and not scheme.startswith("http"):
        raise FieldInvalid("/token", "is for HTTP only")


def _sealed(sealer: Sealer, id_: UUID, token: str | None) -> bytes | None:
    return None if token is None else sealer.seal(token.encode(), _context(id_))


def _context(id_: UUID) -> str:
    return f"audit_collectors:{id_}"


def _view(one: Collector) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _TOLD}
