"""HTTP of operations."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from moorage.decoders import TrialsTooMany, TrialTooLong, Workshop
from moorage.devices import DeviceUnknown
from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from . import service
from .errors import (
    AlreadyFinished,
    DeviceTakesNone,
    EncodingFailed,
    OperationUnknown,
    PayloadTooLarge,
    TooManyPending,
)
from .model import Encoding, Operation, OperationFilter, OperationState
from .schemas import IssuedOut, ManyBody, OperationBody, OperationOut, PreviewOut

router = APIRouter(prefix="/api/v1", tags=["operations"])


async def workshop_of(request: Request) -> Workshop:
    """Give the workshop of this process."""
    workshop: Workshop = request.app.state.workshop
    return workshop


InWorkshop = Annotated[Workshop, Depends(workshop_of)]
States = Annotated[list[OperationState], Query(alias="state")]
Code = Annotated[str | None, Query(max_length=100)]


@router.post("/devices/{device_id}/operations", status_code=201, response_model=OperationOut,
             responses=may_fail(DeviceUnknown, PermissionMissing, DeviceTakesNone, PayloadTooLarge,
                                TooManyPending, EncodingFailed))  # fmt: skip
async def issue_operation(
    device_id: UUID, body: OperationBody, workshop: InWorkshop, caller: Signed, response: Response
) -> Operation:
    """Ask something of a device; its decoder encodes it where it can.

    What the decoder cannot encode is refused, and kept as an operation that failed.
    """
    operation = await service.send(workshop, caller, device_id, body.to_model())
    response.headers["Location"] = f"/api/v1/operations/{operation.id}"
    return operation


@router.post("/devices/{device_id}/operations/preview", response_model=PreviewOut,
             responses=may_fail(DeviceUnknown, PermissionMissing, PayloadTooLarge, TrialsTooMany,
                                TrialTooLong))  # fmt: skip
async def preview_operation(
    device_id: UUID, body: OperationBody, workshop: InWorkshop, caller: Signed
) -> Encoding:
    """Tell what a device would be sent; nothing is sent or kept."""
    return await service.preview(workshop, caller, device_id, body.to_model())


@router.get("/devices/{device_id}/operations", response_model=PageOut[OperationOut],
            responses=may_fail(DeviceUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_operations_of_device(
    device_id: UUID, tx: Tx, caller: Signed, asked: Asked, states: States = [],  # noqa: B006
    code: Code = None,
) -> pages.Page[Operation]:  # fmt: skip
    """List what was asked of a device, and what it answered."""
    wanted = OperationFilter(device_id=device_id, states=tuple(states), code=code)
    return await service.list_operations(tx, caller, asked, wanted)


@router.post("/operations", status_code=201, response_model=list[IssuedOut],
             responses=may_fail(PayloadTooLarge))  # fmt: skip
async def issue_operations(body: ManyBody, workshop: InWorkshop, caller: Signed) -> list[IssuedOut]:
    """Ask the same of up to 1,000 devices, and learn for each what came of it."""
    outcomes = await service.send_many(workshop, caller, body.device_ids, body.to_model())
    return [IssuedOut.of(*pair) for pair in zip(body.device_ids, outcomes, strict=True)]


@router.get("/operations", response_model=PageOut[OperationOut],
            responses=may_fail(DeviceUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_operations(
    tx: Tx, caller: Signed, asked: Asked, states: States = [],  # noqa: B006
    code: Code = None,
    device_id: Annotated[UUID | None, Query(alias="deviceId")] = None,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
) -> pages.Page[Operation]:  # fmt: skip
    """List operations of every device you may see."""
    wanted = OperationFilter(device_id, application_id, organization_id, tuple(states), code)
    return await service.list_operations(tx, caller, asked, wanted)


@router.get("/operations/{operation_id}", response_model=OperationOut,
            responses=may_fail(OperationUnknown))  # fmt: skip
async def get_operation(operation_id: UUID, tx: Tx, caller: Signed) -> Operation:
    """Read an operation with its result."""
    return await service.get(tx, caller, operation_id)


@router.post("/operations/{operation_id}/cancel", response_model=OperationOut,
             responses=may_fail(OperationUnknown, PermissionMissing, AlreadyFinished))  # fmt: skip
async def cancel_operation(operation_id: UUID, tx: Tx, caller: Signed) -> Operation:
    """Call an operation off."""
    return await service.cancel(tx, caller, operation_id)
