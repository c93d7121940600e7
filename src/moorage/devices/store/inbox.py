"""Inboxes, and the devices that wait in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import InboxUnknown
from ..model import DEV_EUI, SENDER, Device, DeviceKind, DeviceState, Identifier, Inbox, Sender
from ..tables import (
    device_contacts,
    device_credentials,
    device_identifiers,
    device_inboxes,
    devices,
)
from . import registry


class Found(NamedTuple):
    """Whom an inbox knows by a name, and whether the device has a credential of its own."""

    sender: Sender
    has_credential: bool


def _inbox(row: Any) -> Inbox:
    return Inbox(**{name: getattr(row, name) for name in Inbox.__dataclass_fields__})


async def put(
    tx: Tx, application_id: UUID, organization_id: UUID, *, digest: bytes, hint: str
) -> Inbox:
    """Give an application an inbox key in place of any before."""
    await tx.execute(
        delete(device_inboxes).where(device_inboxes.c.application_id == application_id)
    )
    row = await tx.execute(
        insert(device_inboxes)
        .values(
            id=uuid7(), application_id=application_id, organization_id=organization_id,
            digest=digest, hint=hint, **tx.stamp(),
        )
        .returning(device_inboxes)
    )  # fmt: skip
    return _inbox(row.one())


async def get(tx: Tx, application_id: UUID) -> Inbox:
    """Read an application's inbox. Raises InboxUnknown."""
    query = select(device_inboxes).where(device_inboxes.c.application_id == application_id)
    if (row := (await tx.execute(query)).one_or_none()) is None:
        raise InboxUnknown(application_id=application_id)
    return _inbox(row)


async def remove(tx: Tx, inbox: Inbox) -> None:
    """Delete an inbox's key; who waits in it goes on waiting."""
    await tx.execute(delete(device_inboxes).where(device_inboxes.c.id == inbox.id))


async def find(tx: Tx, digest: bytes) -> Inbox | None:
    """Find the inbox of a key."""
    query = select(device_inboxes).where(device_inboxes.c.digest == digest)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _inbox(row)


async def lock(tx: Tx, inbox: Inbox) -> bool:
    """Keep others from adding to the inbox in this transaction; False if it is gone."""
    query = select(device_inboxes.c.id).where(device_inboxes.c.id == inbox.id).with_for_update()
    return (await tx.execute(query)).one_or_none() is not None


async def lock_application(tx: Tx, application_id: UUID) -> None:
    """Keep others from adding strangers to an application in this transaction."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtext('moorage.inbox'), hashtext(:id))",
        {"id": str(application_id)},
    )


async def find_sender(tx: Tx, credential_id: UUID, name: Identifier) -> Found | None:
    """Find whom an identifier belongs to, as a sender by the credential of who speaks for him."""
    own = exists().where(device_credentials.c.device_id == devices.c.id)
    query = (
        select(
            devices.c.number, devices.c.id, devices.c.organization_id, devices.c.application_id,
            devices.c.state, devices.c.kind, own.label("has_credential"),
        )
        .join(device_identifiers, device_identifiers.c.device_id == devices.c.id)
        .where(
            device_identifiers.c.network == name.network,
            device_identifiers.c.kind == name.kind,
            device_identifiers.c.value == name.value,
        )
    )  # fmt: skip
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    sender = Sender(
        number=row.number,
        device_id=row.id,
        organization_id=row.organization_id,
        application_id=row.application_id,
        credential_id=credential_id,
        version=1,
        state=DeviceState(row.state),
        is_gateway=row.kind == DeviceKind.GATEWAY,
    )
    return Found(sender, row.has_credential)


async def count_waiting(tx: Tx, application_id: UUID) -> int:
    """Count who waits in an application's inbox."""
    query = select(func.count()).where(
        devices.c.application_id == application_id, devices.c.state == DeviceState.WAITING
    )
    count: int = (await tx.execute(query)).scalar_one()
    return count


async def numbers_of(tx: Tx, application_id: UUID) -> list[int]:
    """Tell whom an application's inbox key speaks for, wherever they are by now."""
    query = (
        select(devices.c.number)
        .join(device_identifiers, device_identifiers.c.device_id == devices.c.id)
        .where(
            or_(
                and_(
                    device_identifiers.c.network == str(application_id),
                    device_identifiers.c.kind == SENDER,
                ),
                and_(
                    devices.c.application_id == application_id,
                    device_identifiers.c.kind == DEV_EUI,
                ),
            )
        )
    )
    return [row.number for row in await tx.execute(query)]


async def silent_since(tx: Tx, before: datetime, most: int) -> list[Device]:
    """Read devices that wait and were last heard before an instant."""
    heard_at = func.coalesce(device_contacts.c.last_seen_at, devices.c.created_at)
    query = (
        registry.statement()
        .where(devices.c.state == DeviceState.WAITING, heard_at < before)
        .limit(most)
    )
    rows = await tx.execute(query.with_for_update(of=devices, skip_locked=True))
    return [registry.read(row) for row in rows]


async def usual_decoders(
    tx: Tx, application_ids: Iterable[UUID], most: int
) -> Mapping[UUID, list[UUID]]:
    """Tell which decoders the devices of applications use, the most used first."""
    c = devices.c
    query = (
        select(c.application_id, c.decoder_id)
        .where(c.application_id.in_(list(application_ids)), c.decoder_id.is_not(None))
        .group_by(c.application_id, c.decoder_id)
        .order_by(func.count().desc(), c.decoder_id)
    )
    found: dict[UUID, list[UUID]] = {}
    for row in await tx.execute(query):
        usual = found.setdefault(row.application_id, [])
        if len(usual) < most:
            usual.append(row.decoder_id)
    return found
