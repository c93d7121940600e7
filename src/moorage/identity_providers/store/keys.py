"""Keys of ours towards identity providers: certificates, and sealed private halves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from moorage.kit.db import Tx

from ..errors import KeyUnknown
from ..model import Key
from ..tables import identity_provider_keys

_keys = identity_provider_keys


def _key(row: Any) -> Key:
    return Key(row.id, row.provider_id, row.certificate, row.signs, row.expires_at, row.created_at)


async def add(tx: Tx, key: Key, sealed: bytes) -> Key:
    """Insert a key."""
    await tx.execute(
        insert(_keys).values(
            id=key.id,
            provider_id=key.provider_id,
            certificate=key.certificate,
            sealed_key=sealed,
            signs=key.signs,
            expires_at=key.expires_at,
            created_at=key.created_at,
        )
    )
    return key


async def list_keys(tx: Tx, provider_id: UUID) -> list[Key]:
    """Read the keys of a provider; the one that signs comes first."""
    query = select(_keys).where(_keys.c.provider_id == provider_id)
    rows = await tx.execute(query.order_by(_keys.c.signs.desc(), _keys.c.id))
    return [_key(row) for row in rows]


async def get(tx: Tx, provider_id: UUID, key_id: UUID) -> Key:
    """Read one. Raises KeyUnknown."""
    query = select(_keys).where(_keys.c.provider_id == provider_id, _keys.c.id == key_id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise KeyUnknown(id=key_id)
    return _key(row)


async def let_sign(tx: Tx, provider_id: UUID, key_id: UUID) -> None:
    """Have one key of a provider sign, and the others no longer."""
    of_provider = _keys.c.provider_id == provider_id
    # First none, then one: the index allows no two at any moment.
    await tx.execute(update(_keys).where(of_provider).values(signs=False))
    await tx.execute(update(_keys).where(of_provider, _keys.c.id == key_id).values(signs=True))


async def remove(tx: Tx, provider_id: UUID, key_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(_keys).where(_keys.c.provider_id == provider_id, _keys.c.id == key_id))


async def sealed(tx: Tx, provider_id: UUID) -> list[tuple[Key, bytes]]:
    """Read the keys of a provider with their sealed halves; the one that signs comes first."""
    query = select(_keys).where(_keys.c.provider_id == provider_id)
    rows = await tx.execute(query.order_by(_keys.c.signs.desc(), _keys.c.id))
    return [(_key(row), row.sealed_key) for row in rows]


async def lock_sealed(tx: Tx) -> list[tuple[UUID, bytes]]:
    """Read the sealed halves of all keys, which nobody changes meanwhile."""
    query = select(_keys.c.id, _keys.c.sealed_key).order_by(_keys.c.id).with_for_update()
    return [(row.id, row.sealed_key) for row in await tx.execute(query)]


async def put_sealed(tx: Tx, key_id: UUID, sealed_key: bytes) -> None:
    """Replace how a key is sealed."""
    await tx.execute(update(_keys).where(_keys.c.id == key_id).values(sealed_key=sealed_key))
