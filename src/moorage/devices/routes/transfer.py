"""HTTP of many devices at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from moorage.kit.asking import AsForm
from moorage.kit.caller import Caller
from moorage.kit.errors import FieldInvalid
from moorage.kit.exports import CSV, DOWNLOADS, download, written
from moorage.kit.http import Prefer, Signed, Tx, accepted, is_async, may_fail
from moorage.organizations import PermissionMissing

from ..errors import ImportTooLarge, ImportUnreadable, PastNotKept, PastNotKnown
from ..model import DeviceFilter, ImportMode
from ..schemas import table
from ..schemas.bodies import DeviceOut, ImportReportOut, ManyDevicesOut
from ..service import many
from ..service import transfer as service
from .filters import Wanted

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])
MOST_BYTES = 16_000_000


@router.get("/export", response_class=StreamingResponse,
            responses={200: {"content": DOWNLOADS},
                       **may_fail(FieldInvalid, PastNotKept, PastNotKnown)})  # fmt: skip
async def export_devices(
    tx: Tx, caller: Signed, request: Request, wanted: Wanted, form: AsForm,
) -> StreamingResponse:  # fmt: skip
    """Download the devices you may see as CSV, JSON lines or Parquet; never with a secret.

    Cells that a spreadsheet would run as a formula begin with an apostrophe, which an import takes
    off again.
    """
    service.note_export(tx, caller, wanted)
    return download(form, "devices", _pieces(request, caller, wanted, form))


async def _pieces(
    request: Request, caller: Caller, wanted: DeviceFilter, form: str
) -> AsyncIterator[bytes]:
    # The request's transaction ends before the answer begins, so the answer has one of its own.
    async with request.app.state.database.begin(caller) as tx:
        devices = service.export(tx, caller, wanted)
        # As CSV they come as an import reads them.
        pieces = table.write(devices) if form == CSV else written(form, DeviceOut, devices)
        async for piece in pieces:
            yield piece


@router.post("/import", response_model=ImportReportOut,
             responses={202: {"model": ManyDevicesOut, "description": "A task does it."},
                        **may_fail(ImportUnreadable, ImportTooLarge, PermissionMissing,
                                   FieldInvalid)},
             openapi_extra={"requestBody": {"required": True, "content": {
                 "text/csv": {"schema": {"type": "string"}},
                 "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
             }}})  # fmt: skip
async def import_devices(
    request: Request, tx: Tx, caller: Signed,
    preview: Annotated[bool, Query(description="Only say what would happen.")] = False,
    mode: Annotated[ImportMode, Query(description="Whether one bad row keeps all out.")]
    = ImportMode.ALL_OR_NOTHING,
    application_id: Annotated[UUID | None, Query(
        alias="applicationId", description="Where rows without an application go.")] = None,
    prefer: Prefer = None,
) -> ImportReportOut | Response:  # fmt: skip
    """Enrol and change devices from a CSV or JSON file; rows with an id change that device.

    As a task (`Prefer: respond-async`, and `mode=partial`) it takes 100,000 rows instead of 2,000.
    """
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BYTES:
            raise ImportTooLarge(limit=service.MOST_ROWS)
    is_json = "json" in request.headers.get("content-type", "")
    read = table.read_json if is_json else table.read_csv
    rows = read(bytes(content), None if application_id is None else str(application_id))
    if is_async(prefer):
        if mode is not ImportMode.PARTIAL:
            raise FieldInvalid("/mode", "must be partial for a task, which goes row by row")
        task = await many.ask_import(tx, caller, rows, preview=preview)
        return accepted(ManyDevicesOut, task)
    report = await service.take_in(tx, caller, rows, mode, preview=preview)
    return ImportReportOut.of(report)
