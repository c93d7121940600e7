"""HTTP of receipts, by target and by message."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from moorage.devices import DeviceUnknown
from moorage.kit import pages
from moorage.kit.asking import AsForm
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.exports import DOWNLOADS, download, written
from moorage.kit.http import PageOut, Signed, Tx, may_fail, opened
from moorage.ledger import PositionGone
from moorage.organizations import PermissionMissing
from moorage.telemetry import Place

from .. import service
from ..errors import TargetUnknown
from ..model import MessageDelivery, Reason, ReceiptOutcome, WantedReceipts
from ..schemas import DeliveryOut, ReceiptOut

router = APIRouter(prefix="/api/v1/targets", tags=["targets"])
deliveries = APIRouter(prefix="/api/v1/devices", tags=["targets"])


@router.get("/{target_id}/receipts", response_model=PageOut[ReceiptOut],
            responses={200: {"content": DOWNLOADS},
                       **may_fail(TargetUnknown, DeviceUnknown, CursorInvalid,
                                  FieldInvalid)})  # fmt: skip
async def list_receipts(
    target_id: UUID, tx: Tx, caller: Signed, request: Request, form: AsForm,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=2000, description="The `next` before.")] = None,
    device_id: Annotated[UUID | None, Query(alias="deviceId")] = None,
    message_id: Annotated[UUID | None, Query(alias="messageId")] = None,
    outcome: ReceiptOutcome | None = None,
    reason: Reason | None = None,
    start: Annotated[
        AwareDatetime | None, Query(alias="from", description="Accepted or given up then or later.")
    ] = None,
    end: Annotated[
        AwareDatetime | None, Query(alias="to", description="Accepted or given up before.")
    ] = None,
) -> Any:  # fmt: skip
    """List what a target accepted and what was given up, newest first.

    A page may be short, even empty, and still have a `next`: so much is looked at per question. As
    a download all of them come, the oldest first.
    """
    wanted = WantedReceipts(device_id, message_id, outcome, reason, start, end)
    if form in DOWNLOADS:
        await service.note_export(tx, caller, target_id, wanted)
        batches = service.export_receipts(opened(request), target_id, wanted)
        return download(form, "receipts", written(form, ReceiptOut, batches))
    asked = pages.PageRequest(limit, after)
    return await service.list_receipts(tx, caller, target_id, wanted, asked)


@deliveries.get("/{device_id}/messages/{position}/deliveries", response_model=PageOut[DeliveryOut],
                responses=may_fail(DeviceUnknown, PermissionMissing, PositionGone))  # fmt: skip
async def list_message_deliveries(
    device_id: UUID, position: str, tx: Tx, caller: Signed
) -> pages.Page[MessageDelivery]:
    """Tell what became of a message at each target that you may see."""
    place = Place.read(position)
    if place is None:
        raise PositionGone(position=position)
    found = await service.deliveries_of(tx, caller, device_id, place.partition, place.n)
    return pages.Page(found)
