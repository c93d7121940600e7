"""HTTP of the inbox: its keys, and what becomes of who waits in it."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from moorage.decoders import DecoderUnknown
from moorage.groups import ApplicationUnknown
from moorage.kit.http import Signed, Tx, may_fail, tag
from moorage.organizations import PermissionMissing

from ..errors import (
    DeviceUnknown,
    GatewayUnfit,
    IdentifierTaken,
    InboxUnknown,
    NotWaiting,
    SerialTaken,
)
from ..model import Device, Inbox
from ..schemas.bodies import AdoptBody, DeviceOut, InboxOut, ShownInboxKeyOut
from ..schemas.connect import inbox_templates
from ..service import inbox as service
from .credentials import doors_of

router = APIRouter(prefix="/api/v1/inbox", tags=["inbox"])
keys = APIRouter(prefix="/api/v1/applications/{application_id}/inbox-key", tags=["inbox"])


@router.post("/{device_id}/adopt", response_model=DeviceOut,
             responses=may_fail(DeviceUnknown, PermissionMissing, NotWaiting, SerialTaken,
                                IdentifierTaken, GatewayUnfit, DecoderUnknown))  # fmt: skip
async def adopt_device(
    device_id: UUID, body: AdoptBody, tx: Tx, caller: Signed, response: Response
) -> Device:
    """Make a device of a sender that waits; it keeps what it sent."""
    device = await service.adopt(tx, caller, device_id, body.to_changes())
    tag(response, device.updated_at)
    return device


@router.delete("/{device_id}", status_code=204,
               responses=may_fail(DeviceUnknown, PermissionMissing, NotWaiting))  # fmt: skip
async def dismiss_device(device_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a sender that waits; it comes back if it sends again with the inbox key."""
    await service.dismiss(tx, caller, device_id)


@keys.post("", status_code=201, response_model=ShownInboxKeyOut,
           responses=may_fail(ApplicationUnknown, PermissionMissing))  # fmt: skip
async def open_inbox(
    application_id: UUID, tx: Tx, caller: Signed, request: Request, response: Response
) -> ShownInboxKeyOut:
    """Make an application's inbox key, shown this once; the one before works no longer."""
    response.headers["Cache-Control"] = "no-store"
    shown = await service.open_inbox(tx, caller, application_id)
    return ShownInboxKeyOut(
        inbox=InboxOut.model_validate(shown.inbox),
        secret=shown.secret,
        templates=inbox_templates(doors_of(request), shown.secret),
    )


@keys.get("", response_model=InboxOut,
          responses=may_fail(ApplicationUnknown, PermissionMissing, InboxUnknown))  # fmt: skip
async def get_inbox(application_id: UUID, tx: Tx, caller: Signed) -> Inbox:
    """Read what is known of an application's inbox key, never the key."""
    return await service.get_inbox(tx, caller, application_id)


@keys.delete("", status_code=204,
             responses=may_fail(ApplicationUnknown, PermissionMissing, InboxUnknown))  # fmt: skip
async def close_inbox(application_id: UUID, tx: Tx, caller: Signed) -> None:
    """Take an inbox key back; whoever sends with it is cut off at once."""
    await service.close_inbox(tx, caller, application_id)
