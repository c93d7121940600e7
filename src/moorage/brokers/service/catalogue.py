"""Brokers in front: adding, changing, giving tokens, removing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from moorage import organizations, sources
from moorage.kit import pages, secrets
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.ids import uuid7
from moorage.kit.secrets import Sealer
from moorage.organizations import Permission
from moorage.sources import FRONT, BrokerKind, NewSource, Source, Version

from .. import store
from ..errors import BrokerConnected, BrokersTooMany, BrokerUnknown
from ..facts import BrokerAdded, BrokerChanged, BrokerRemoved, BrokerTokenRotated
from ..model import Broker, Connection, NewBroker, ShownToken
from . import signing

MOST_BROKERS = 100
PREFIX = "mbk_"
# What speaks no MQTT 5, in any version or in those that are about.
_ONLY_311 = (BrokerKind.NATS, BrokerKind.RABBITMQ)
_SCHEMES = {BrokerKind.NATS: ("nats", "tls"), BrokerKind.RABBITMQ: ("https", "http")}
_UNTOLD = frozenset(
    {"asked_at", "source_id", "hint", "created_at", "updated_at", "created_by", "updated_by"}
)


async def add(tx: Tx, caller: Caller, new: NewBroker, sealer: Sealer) -> ShownToken:
    """Register a broker; its token is shown this once.

    A broker serves one organisation, or with none the whole installation.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, FieldInvalid, BrokerNameTaken,
        BrokersTooMany.
    """
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    organizations.require(caller, Permission.MANAGE_SOURCES, new.organization_id)
    _check_end(tx, new.expires_at)
    _check_url(new.kind, new.url)
    if await store.count(tx, new.organization_id) >= MOST_BROKERS:
        raise BrokersTooMany(limit=MOST_BROKERS)
    token = secrets.make_token(PREFIX)
    broker_id, issuer, sealed = uuid7(), None, None
    if new.kind is BrokerKind.NATS:
        secret = signing.new(token)
        issuer, sealed = secret.issuer, signing.seal(sealer, broker_id, secret)
    broker = await store.add(tx, broker_id, new, token, issuer, sealed)
    tx.announce(BrokerAdded(broker.id, broker.organization_id, after=_view(broker)))
    return ShownToken(broker, token)


async def get(tx: Tx, caller: Caller, broker_id: UUID, *, lock: bool = False) -> Broker:
    """Read a broker the caller may see. Raises BrokerUnknown."""
    broker = await store.get(tx, broker_id, lock=lock)
    if not caller.may(Permission.READ_SOURCES, broker.organization_id):
        raise BrokerUnknown(id=broker_id)
    return broker


async def to_manage(tx: Tx, caller: Caller, broker_id: UUID) -> Broker:
    """Read a broker the caller may change. Raises BrokerUnknown, PermissionMissing."""
    broker = await get(tx, caller, broker_id, lock=True)
    organizations.require(caller, Permission.MANAGE_SOURCES, broker.organization_id)
    return broker


async def list_brokers(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Broker]:
    """List the brokers the caller may see."""
    seen = caller.reach(Permission.READ_SOURCES)
    return await store.list_brokers(tx, seen, asked, organization_id=organization_id, q=q)


async def change(tx: Tx, caller: Caller, broker_id: UUID, changes: Mapping[str, Any]) -> Broker:
    """Change a broker.

    Raises:
        BrokerUnknown, PermissionMissing, InstallationOnly, FieldInvalid, BrokerNameTaken.
    """
    before = await to_manage(tx, caller, broker_id)
    if "url" in changes:
        _check_url(before.kind, changes["url"])
    after = await store.change(tx, broker_id, changes)
    was, now = difference(_view(before), _view(after))
    tx.announce(BrokerChanged(broker_id, before.organization_id, was, now))
    return after


async def rotate_token(
    tx: Tx,
    caller: Caller,
    broker_id: UUID,
    sealer: Sealer,
    *,
    overlap: timedelta = timedelta(),
    expires_at: datetime | None = None,
) -> ShownToken:
    """Give a broker a new token, shown this once; the old one works on for `overlap`.

    Raises:
        BrokerUnknown, PermissionMissing, InstallationOnly, FieldInvalid.
    """
    before = await to_manage(tx, caller, broker_id)
    _check_end(tx, expires_at)
    token = secrets.make_token(PREFIX)
    until = tx.now + overlap if overlap else None
    if until is not None and before.expires_at is not None:
        until = min(until, before.expires_at)
    sealed = await store.sealed_secrets(tx, broker_id)
    if sealed is not None:
        secret = replace(signing.opened(sealer, broker_id, sealed), token=token)
        sealed = signing.seal(sealer, broker_id, secret)
    after = await store.rotate(
        tx, broker_id, token, expires_at=expires_at, previous_until=until, sealed=sealed,
    )  # fmt: skip
    told = {"token": "***", "overlap": overlap, "expires_at": expires_at}
    tx.announce(BrokerTokenRotated(broker_id, before.organization_id, after=told))
    return ShownToken(after, token)


async def connect(
    tx: Tx, caller: Caller, broker_id: UUID, connection: Connection, sealer: Sealer
) -> Source:
    """Have a broker's messages fetched and its commands sent, by a source of its name.

    Raises:
        BrokerUnknown, PermissionMissing, InstallationOnly, BrokerConnected, FieldInvalid,
        SourceNameTaken, SourcesTooMany.
    """
    broker = await to_manage(tx, caller, broker_id)
    if broker.source_id is not None:
        raise BrokerConnected(name=broker.name)
    asked = {field.name: getattr(connection, field.name) for field in fields(connection)}
    if connection.version is None:
        asked["version"] = Version.V311 if broker.kind in _ONLY_311 else Version.V5
    new = NewSource(
        broker.organization_id,
        broker.name,
        subscriptions=FRONT,
        broker_id=broker.id,
        front=broker.kind,
        **asked,
    )
    return await sources.add(tx, caller, new, sealer)


async def remove(tx: Tx, caller: Caller, broker_id: UUID) -> None:
    """Remove a broker; whoever signs in there is refused from now on.

    Raises:
        BrokerUnknown, PermissionMissing, InstallationOnly.
    """
    before = await to_manage(tx, caller, broker_id)
    if before.source_id is not None:
        await sources.remove(tx, caller, before.source_id)
    await store.remove(tx, broker_id)
    tx.announce(BrokerRemoved(broker_id, before.organization_id, before=_view(before)))


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the secrets of all brokers with the sealing key that is in use."""
    for broker_id, sealed in await store.lock_sealed(tx):
        anew = signing.seal(sealer, broker_id, signing.opened(sealer, broker_id, sealed))
        await store.put_sealed(tx, broker_id, anew)


def _check_url(kind: BrokerKind, url: str | None) -> None:
    """Check the address of a NATS server or of RabbitMQ's management. Raises FieldInvalid."""
    schemes = _SCHEMES.get(kind)
    if url is None and kind is not BrokerKind.NATS:
        return
    if url is None or schemes is None:
        raise FieldInvalid("/url", "goes with a NATS server and with the management of RabbitMQ")
    try:
        parts = urlsplit(url)
        fits = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.username is not None or parts.path not in ("", "/") or parts.query:
        words = " or ".join(f"{scheme}://" for scheme in schemes)
        raise FieldInvalid("/url", f"must be {words}, a host and, unless the usual one, a port")


def _check_end(tx: Tx, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= tx.now:
        raise FieldInvalid("/expiresAt", "must lie in the future")


def _view(broker: Broker) -> dict[str, Any]:
    return {name: value for name, value in asdict(broker).items() if name not in _UNTOLD}
