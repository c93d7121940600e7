"""HTTP of what happens to applications together with their devices."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from moorage.groups import (
    Application,
    ApplicationNameTaken,
    ApplicationNotEmpty,
    ApplicationUnknown,
)
from moorage.kit.http import Prefer, Signed, Tx, accepted, is_async, may_fail
from moorage.organizations import OrganizationUnknown, PermissionMissing

from ..errors import DecoderStays, SerialTaken
from ..schemas.applications import MoveApplicationBody, MovedApplicationOut
from ..schemas.bodies import ManyDevicesOut
from ..service import many
from ..service import registry as service

router = APIRouter(prefix="/api/v1/applications/{application_id}", tags=["applications"])


@router.delete("", status_code=204, response_model=None,
               responses={202: {"model": ManyDevicesOut, "description": "A task does it."},
                          **may_fail(ApplicationUnknown, PermissionMissing,
                                     ApplicationNotEmpty)})  # fmt: skip
async def remove_application(
    application_id: UUID, tx: Tx, caller: Signed,
    with_devices: Annotated[bool, Query(
        alias="withDevices", description="Remove its devices too, with everything they sent.",
    )] = False,
    prefer: Prefer = None,
) -> Response | None:  # fmt: skip
    """Remove an application; with its devices as a task, if that is preferred."""
    if with_devices and is_async(prefer):
        task = await many.ask_remove_application(tx, caller, application_id)
        return accepted(ManyDevicesOut, task)
    await service.remove_application(tx, caller, application_id, with_devices=with_devices)
    return None


@router.post("/move", response_model=MovedApplicationOut,
             responses=may_fail(ApplicationUnknown, OrganizationUnknown, PermissionMissing,
                                ApplicationNameTaken, SerialTaken, DecoderStays))  # fmt: skip
async def move_application(
    application_id: UUID, body: MoveApplicationBody, tx: Tx, caller: Signed
) -> Application:
    """Hand an application with its devices to another organization."""
    return await service.move_application(tx, caller, application_id, body.organization_id)
