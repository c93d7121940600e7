"""Who waits in the inbox, with what it said last."""

from __future__ import annotations

from uuid import UUID

from moorage import devices, telemetry
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Permission

from ..model import Waiting


async def list_waiting(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    organization_id: UUID | None,
    application_id: UUID | None,
) -> pages.Page[Waiting]:
    """List who waits where the caller manages devices, with what it sent as far as he may read."""
    page = await devices.list_waiting(tx, caller, asked, organization_id, application_id)
    read = [
        device.number
        for device in page.items
        if caller.may(Permission.READ_MESSAGES, *device.scope)
    ]
    last = await telemetry.last_messages(tx, read)
    states = await telemetry.states(tx, read)
    suggested = await devices.usual_decoders(tx, {d.application_id for d in page.items})
    items = [
        Waiting(
            device,
            last.get(device.number),
            states.get(device.number),
            suggested.get(device.application_id, ()),
        )
        for device in page.items
    ]
    return pages.Page(items, page.next, page.total)
