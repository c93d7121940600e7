"""HTTP of presence."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from moorage.devices import DeviceUnknown
from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail

from . import service
from .model import Presence, PresenceFilter
from .schemas import DevicePresenceOut, PresenceOut

router = APIRouter(prefix="/api/v1", tags=["presence"])


@router.get("/presence", response_model=PageOut[PresenceOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_presence(
    tx: Tx, caller: Signed, asked: Asked,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    connected: bool | None = None,
) -> pages.Page[Presence]:  # fmt: skip
    """List the network connections of devices, present and past."""
    wanted = PresenceFilter(application_id, organization_id, None, connected)
    return await service.list_presence(tx, caller, asked, wanted)


@router.get("/devices/{device_id}/presence", response_model=DevicePresenceOut,
            responses=may_fail(DeviceUnknown))  # fmt: skip
async def get_presence(device_id: UUID, tx: Tx, caller: Signed) -> DevicePresenceOut:
    """Read whether a device is connected, and over what."""
    device, connections = await service.presence_of(tx, caller, device_id)
    return DevicePresenceOut(
        connectivity=device.connectivity,
        last_seen_at=device.last_seen_at,
        silent_since=device.silent_since,
        connections=[PresenceOut.model_validate(c) for c in connections],
    )
