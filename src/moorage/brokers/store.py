"""The only SQL about brokers in front."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, column, delete, func, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages, secrets
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.sources import BrokerKind

from .errors import BrokerNameTaken, BrokerUnknown
from .model import Broker, Callout, NewBroker, Registered, Watched
from .tables import broker_contacts, brokers

_FIELDS = tuple(
    name for name in Broker.__dataclass_fields__ if name not in ("kind", "asked_at", "source_id")
)
_sources = table("sources", column("id"), column("broker_id"), column("updated_at"))


def _query() -> Select[Any]:
    source_id = select(_sources.c.id).where(_sources.c.broker_id == brokers.c.id)
    return select(
        brokers, broker_contacts.c.asked_at, source_id.scalar_subquery().label("source_id")
    ).outerjoin(broker_contacts, broker_contacts.c.broker_id == brokers.c.id)


def _broker(row: Any) -> Broker:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Broker(
        **values, kind=BrokerKind(row.kind), asked_at=row.asked_at, source_id=row.source_id
    )


async def add(
    tx: Tx, broker_id: UUID, new: NewBroker, token: str, issuer: str | None, sealed: bytes | None
) -> Broker:
    """Insert `new`. Raises BrokerNameTaken."""
    statement = (
        insert(brokers)
        .values(
            id=broker_id,
            issuer=issuer,
            sealed_secrets=sealed,
            **_token(token),
            **asdict(new),
            **tx.stamp(),
        )
        .on_conflict_do_nothing(
            index_elements=[brokers.c.organization_id, func.lower(brokers.c.name)]
        )
        .returning(brokers.c.id)
    )
    if (await tx.execute(statement)).scalar_one_or_none() is None:
        raise BrokerNameTaken(name=new.name)
    return await get(tx, broker_id)


async def count(tx: Tx, organization_id: UUID | None) -> int:
    """Count the brokers of an organisation, or of the installation."""
    query = select(func.count()).where(
        brokers.c.organization_id.is_not_distinct_from(organization_id)
    )
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def get(tx: Tx, broker_id: UUID, *, lock: bool = False) -> Broker:
    """Read one. Raises BrokerUnknown."""
    query = _query().where(brokers.c.id == broker_id)
    if lock:
        query = query.with_for_update(of=brokers)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise BrokerUnknown(id=broker_id)
    return _broker(row)


async def list_brokers(
    tx: Tx, seen: Reach, asked: pages.PageRequest, *, organization_id: UUID | None, q: str | None
) -> pages.Page[Broker]:
    """Read a page of what `seen` allows."""
    query = _query()
    if not seen.everywhere:
        query = query.where(brokers.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(brokers.c.organization_id == organization_id)
    if q:
        query = query.where(brokers.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"name": func.lower(brokers.c.name), "createdAt": brokers.c.created_at},
        default="name",
        key=brokers.c.id,
        read=_broker,
    )


async def change(tx: Tx, broker_id: UUID, changes: Mapping[str, Any]) -> Broker:
    """Change columns. Raises BrokerUnknown, BrokerNameTaken."""
    statement = update(brokers).where(brokers.c.id == broker_id)
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement.values(**dict(changes) | tx.restamp()))
    except IntegrityError as taken:
        raise BrokerNameTaken(name=changes.get("name")) from taken
    return await get(tx, broker_id)


async def rotate(
    tx: Tx,
    broker_id: UUID,
    token: str,
    *,
    expires_at: datetime | None,
    previous_until: datetime | None,
    sealed: bytes | None,
) -> Broker:
    """Put a new token in; the old one works until `previous_until`. Raises BrokerUnknown."""
    await tx.execute(
        update(brokers)
        .where(brokers.c.id == broker_id)
        .values(
            **_token(token),
            expires_at=expires_at,
            previous_digest=brokers.c.digest if previous_until else None,
            previous_until=previous_until,
            sealed_secrets=sealed,
            **tx.restamp(),
        )
    )
    return await get(tx, broker_id)


def _token(token: str) -> dict[str, Any]:
    return {
        "digest": secrets.digest(token),
        "mosquitto_hash": secrets.mosquitto_hash(token),
        "hint": token[-4:],
    }


async def mosquitto_hash(tx: Tx, broker_id: UUID) -> str:
    """Read the hash of a broker's token."""
    query = select(brokers.c.mosquitto_hash).where(brokers.c.id == broker_id)
    found: str = (await tx.execute(query)).scalar_one()
    return found


async def remove(tx: Tx, broker_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(brokers).where(brokers.c.id == broker_id))


# --- For the door ---------------------------------------------------------


async def registered(tx: Tx) -> list[Registered]:
    """Read all brokers that have a token."""
    return [_registered(row) for row in await tx.execute(select(brokers))]


async def callouts(tx: Tx) -> list[Callout]:
    """Read the NATS servers that ask."""
    rows = await tx.execute(select(brokers).where(brokers.c.sealed_secrets.is_not(None)))
    return [
        Callout(_registered(row), row.url, bytes(row.sealed_secrets), row.updated_at)
        for row in rows
    ]


async def watched(tx: Tx) -> list[Watched]:
    """Read the brokers that are asked who is there."""
    columns = brokers, _sources.c.id.label("source_id"), _sources.c.updated_at.label("moved_at")
    joined = brokers.outerjoin(_sources, _sources.c.broker_id == brokers.c.id)
    query = select(*columns).select_from(joined).where(brokers.c.url.is_not(None))
    return [
        Watched(
            _registered(row),
            row.url,
            row.sealed_secrets and bytes(row.sealed_secrets),
            row.source_id,
            (row.updated_at, row.moved_at),
        )
        for row in await tx.execute(query)
    ]


async def sealed_secrets(tx: Tx, broker_id: UUID) -> bytes | None:
    """Read the sealed secrets of a broker."""
    query = select(brokers.c.sealed_secrets).where(brokers.c.id == broker_id)
    found: bytes | None = (await tx.execute(query)).scalar_one_or_none()
    return found


async def lock_sealed(tx: Tx) -> list[tuple[UUID, bytes]]:
    """Read the sealed secrets of all brokers, which nobody changes meanwhile."""
    query = select(brokers.c.id, brokers.c.sealed_secrets).where(
        brokers.c.sealed_secrets.is_not(None)
    )
    rows = await tx.execute(query.order_by(brokers.c.id).with_for_update())
    return [(row.id, row.sealed_secrets) for row in rows]


async def put_sealed(tx: Tx, broker_id: UUID, sealed: bytes) -> None:
    """Replace how a broker's secrets are sealed."""
    await tx.execute(update(brokers).where(brokers.c.id == broker_id).values(sealed_secrets=sealed))


def _registered(row: Any) -> Registered:
    digests = [(bytes(row.digest), row.expires_at)]
    if row.previous_digest is not None:
        digests.append((bytes(row.previous_digest), row.previous_until))
    kind = BrokerKind(row.kind)
    return Registered(row.id, row.organization_id, row.name, kind, row.certified, tuple(digests))


async def note_asked(tx: Tx, broker_ids: Iterable[UUID]) -> None:
    """Note that brokers asked; those that are gone are left out."""
    known = select(brokers.c.id, func.now()).where(brokers.c.id.in_(list(broker_ids)))
    statement = insert(broker_contacts).from_select(["broker_id", "asked_at"], known)
    await tx.execute(
        statement.on_conflict_do_update(
            constraint="broker_contacts_pkey", set_={"asked_at": statement.excluded.asked_at}
        )
    )
