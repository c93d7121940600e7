"""HTTP of work on many devices: each route answers with a task."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response

from moorage.groups import ApplicationUnknown
from moorage.kit.errors import FieldInvalid
from moorage.kit.http import Signed, Tx, may_fail
from moorage.organizations import PermissionMissing
from moorage.tasks import Task

from ..errors import DeviceUnknown
from ..schemas.bodies import ChangeManyBody, ManyDevicesOut, MoveManyBody, RemoveManyBody
from ..service import many as service
from .filters import Wanted

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])
_FAILURES = may_fail(DeviceUnknown, ApplicationUnknown, PermissionMissing, FieldInvalid)


def located(response: Response, task: Task) -> Task:
    """Say where a task is read."""
    response.headers["Location"] = f"/api/v1/tasks/{task.id}"
    return task


@router.post("/change", status_code=202, response_model=ManyDevicesOut, responses=_FAILURES)
async def change_devices(
    body: ChangeManyBody, wanted: Wanted, tx: Tx, caller: Signed, response: Response
) -> Task:
    """Change the same of many devices: of those named, or of those that the query finds."""
    wanted = replace(wanted, ids=tuple(body.device_ids))
    return located(response, await service.ask_change(tx, caller, wanted, body.to_model()))


@router.post("/move", status_code=202, response_model=ManyDevicesOut, responses=_FAILURES)
async def move_devices(
    body: MoveManyBody, wanted: Wanted, tx: Tx, caller: Signed, response: Response
) -> Task:
    """Move many devices to an application: those named, or those that the query finds."""
    wanted = replace(wanted, ids=tuple(body.device_ids))
    return located(response, await service.ask_move(tx, caller, wanted, body.application_id))


@router.post("/remove", status_code=202, response_model=ManyDevicesOut, responses=_FAILURES)
async def remove_devices(
    body: RemoveManyBody, wanted: Wanted, tx: Tx, caller: Signed, response: Response
) -> Task:
    """Remove many devices with what they sent: those named, or those that the query finds."""
    wanted = replace(wanted, ids=tuple(body.device_ids))
    return located(response, await service.ask_remove(tx, caller, wanted))
