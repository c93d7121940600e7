"""Photos of devices."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..errors import PhotoUnknown
from ..tables import device_photos


async def put(tx: Tx, device_id: UUID, content_type: str, content: bytes) -> None:
    """Store a photo in place of any before."""
    values = {"content_type": content_type, "content": content, "updated_at": tx.now}
    statement = insert(device_photos).values(device_id=device_id, **values)
    await tx.execute(statement.on_conflict_do_update(constraint="device_photos_pkey", set_=values))


async def get(tx: Tx, device_id: UUID) -> tuple[str, bytes]:
    """Read a photo. Raises PhotoUnknown."""
    query = select(device_photos.c.content_type, device_photos.c.content)
    row = (await tx.execute(query.where(device_photos.c.device_id == device_id))).one_or_none()
    if row is None:
        raise PhotoUnknown(id=device_id)
    return row.content_type, row.content


async def remove(tx: Tx, device_id: UUID) -> None:
    """Delete a photo. Raises PhotoUnknown."""
    statement = delete(device_photos).where(device_photos.c.device_id == device_id)
    if (await tx.execute(statement)).rowcount == 0:
        raise PhotoUnknown(id=device_id)
