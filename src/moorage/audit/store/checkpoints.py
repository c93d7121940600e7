"""The only SQL about checkpoints and the keys that sign them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, update

from moorage.kit import chain, pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..model import Checkpoint, Head, SigningKey
from ..tables import audit_checkpoints, audit_keys

_KEY = [audit_keys.c[f.name] for f in fields(SigningKey)]


def _query() -> Select[Any]:
    own = [audit_checkpoints.c[f.name] for f in fields(Checkpoint) if f.name != "key"]
    return select(*own, audit_keys.c.public.label("key")).join(
        audit_keys, audit_keys.c.id == audit_checkpoints.c.key_id
    )


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(**{f.name: getattr(row, f.name) for f in fields(Checkpoint)})


async def add(tx: Tx, head: Head, at: datetime, key_id: UUID, signature: bytes) -> None:
    """Insert a checkpoint of a chain at an entry."""
    await tx.execute(
        insert(audit_checkpoints).values(
            organization_id=head.organization_id,
            place=head.place,
            number=head.number,
            link=head.link,
            at=at,
            key_id=key_id,
            signature=signature,
        )
    )


async def find(tx: Tx, organization_id: UUID | None, place: int) -> Checkpoint | None:
    """Read the checkpoint at an entry."""
    query = _query().where(
        audit_checkpoints.c.organization_id.is_not_distinct_from(organization_id),
        audit_checkpoints.c.place == place,
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _checkpoint(row)


async def list_checkpoints(
    tx: Tx, seen: Reach, asked: pages.PageRequest, organization_id: UUID | None
) -> pages.Page[Checkpoint]:
    """Read a page of the checkpoints of the chains in `seen`; all of them, or one chain's.

    Args:
        tx: the transaction.
        seen: where the caller reads.
        asked: the page.
        organization_id: `kit.chain.INSTALLATION` is the installation's chain.
    """
    query = _query()
    own = audit_checkpoints.c.organization_id
    if not seen.everywhere:
        query = query.where(own.in_(seen.organization_ids))
    if organization_id == chain.INSTALLATION:
        query = query.where(own.is_(None))
    elif organization_id is not None:
        query = query.where(own == organization_id)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"at": audit_checkpoints.c.at, "number": audit_checkpoints.c.number},
        default="-at",
        key=audit_checkpoints.c.id,
        read=_checkpoint,
    )


async def after(tx: Tx, id_: int, limit: int) -> list[Checkpoint]:
    """Read the checkpoints written after one, in order."""
    query = _query().where(audit_checkpoints.c.id > id_).order_by(audit_checkpoints.c.id)
    return [_checkpoint(row) for row in await tx.execute(query.limit(limit))]


async def drop_before(tx: Tx, organization_id: UUID | None, place: int) -> None:
    """Delete the checkpoints of entries that are gone, but for the one at `place`."""
    await tx.execute(
        delete(audit_checkpoints).where(
            audit_checkpoints.c.organization_id.is_not_distinct_from(organization_id),
            audit_checkpoints.c.place < place,
        )
    )


# --- Keys -----------------------------------------------------------------


async def lock_keys(tx: Tx) -> None:
    """Let one at a time make a key."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.audit.keys'))")


async def keys(tx: Tx) -> list[SigningKey]:
    """Read all keys, the oldest first; retired ones too, which verify what they signed."""
    rows = await tx.execute(select(*_KEY).order_by(audit_keys.c.id))
    return [SigningKey(**row) for row in rows.mappings()]


async def add_key(tx: Tx, key_id: UUID, public: bytes, sealed: bytes) -> None:
    """Insert a key; those before it sign no more, and lose their private half."""
    await tx.execute(
        update(audit_keys)
        .where(audit_keys.c.retired_at.is_(None))
        .values(retired_at=tx.now, sealed=None)
    )
    await tx.execute(
        insert(audit_keys).values(id=key_id, public=public, sealed=sealed, created_at=tx.now)
    )


async def reseal_key(tx: Tx, key_id: UUID, sealed: bytes) -> None:
    """Replace the sealed private half."""
    await tx.execute(update(audit_keys).where(audit_keys.c.id == key_id).values(sealed=sealed))
