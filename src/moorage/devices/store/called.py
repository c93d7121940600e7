"""Devices by what others call them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, select

from moorage.kit.db import Tx

from ..model import SENDER, CalledBy, DeviceKind, DeviceState, Identifier, Naming, Sender
from ..tables import device_credentials, device_identifiers, devices


async def find(tx: Tx, naming: Naming, name: str | UUID) -> list[Sender]:
    """Find an organisation's devices of a name, two at most; the case of letters is of no matter.

    In user names it is. Ids are given as such.
    """
    if isinstance(name, UUID):
        return await _find(tx, naming, devices.c.id == name)
    if naming.called_by is CalledBy.USER_NAME:
        user_name = device_credentials.c.user_name
        return await _find(tx, naming, _in(device_credentials, user_name == name))
    column = devices.c.name if naming.called_by is CalledBy.NAME else devices.c.serial
    return await _find(tx, naming, func.lower(column) == name.lower())


async def find_identified(tx: Tx, naming: Naming, identifier: Identifier) -> list[Sender]:
    """Find an organisation's devices with an identifier of any network, two at most.

    Who waits in an inbox is known by its name in that one only.
    """
    c = device_identifiers.c
    holds = (c.kind == identifier.kind) & (c.value == identifier.value)
    if identifier.kind == SENDER:
        holds &= c.network == identifier.network
    return await _find(tx, naming, _in(device_identifiers, holds))


def _in(table: Table, holds: ColumnElement[bool]) -> ColumnElement[bool]:
    return devices.c.id.in_(select(table.c.device_id).where(holds))


async def _find(tx: Tx, naming: Naming, holds: ColumnElement[bool]) -> list[Sender]:
    query = (
        select(devices.c.number, devices.c.id, devices.c.organization_id,
               devices.c.application_id, devices.c.state, devices.c.kind)
        .where(holds)
        .limit(2)
    )  # fmt: skip
    if naming.organization_id is not None:
        query = query.where(devices.c.organization_id == naming.organization_id)
    return [_sender(row, naming.credential_id) for row in await tx.execute(query)]


def _sender(row: Any, credential_id: UUID) -> Sender:
    return Sender(
        number=row.number,
        device_id=row.id,
        organization_id=row.organization_id,
        application_id=row.application_id,
        credential_id=credential_id,
        version=1,
        state=DeviceState(row.state),
        is_gateway=row.kind == DeviceKind.GATEWAY,
    )
