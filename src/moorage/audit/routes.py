"""HTTP of the audit and the system log."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from moorage.kit import pages
from moorage.kit.asking import AsForm
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.exports import DOWNLOADS, download, written
from moorage.kit.http import Asked, Instant, PageOut, Signed, Tx, may_fail
from moorage.organizations import InstallationOnly

from . import service
from .errors import RangeEmpty
from .model import SystemEntry, Wanted, WantedEntries
from .schemas import FactOut, SystemEntryOut

router = APIRouter(prefix="/api/v1", tags=["audit"])


@router.get(
    "/audit",
    response_model=PageOut[FactOut],
    responses={
        **may_fail(CursorInvalid, FieldInvalid, RangeEmpty),
        200: {"content": DOWNLOADS},
    },
)
async def list_facts(
    tx: Tx, caller: Signed, asked: Asked, request: Request, form: AsForm,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    subject_id: Annotated[UUID | None, Query(alias="subjectId")] = None,
    caller_id: Annotated[UUID | None, Query(alias="callerId")] = None,
    name: Annotated[str | None, Query(max_length=100, description="Beginning of the name.")] = None,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Annotated[Instant | None, Query()] = None,
) -> Any:  # fmt: skip
    """List facts; as a download all of them, oldest first."""
    wanted = Wanted(organization_id, subject_id, caller_id, name, from_, to)
    if form in DOWNLOADS:
        batches = service.export(request.app.state.database, caller, wanted)
        # The page is asked for too, so that a bad request is refused before it streams.
        await service.changes_of(tx, caller, pages.PageRequest(limit=1), wanted)
        service.note_export(tx, caller, wanted)
        return download(form, "audit", written(form, FactOut, batches))
    return await service.changes_of(tx, caller, asked, wanted)


@router.get("/system-log", response_model=PageOut[SystemEntryOut],
            responses=may_fail(InstallationOnly, CursorInvalid, FieldInvalid,
                               RangeEmpty))  # fmt: skip
async def list_system_log(
    tx: Tx, caller: Signed, asked: Asked,
    part: Annotated[str | None, Query(max_length=100)] = None,
    component: Annotated[str | None, Query(max_length=200)] = None,
    level: Annotated[Literal["warning", "error", "critical"] | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the text.")] = None,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Annotated[Instant | None, Query()] = None,
) -> pages.Page[SystemEntry]:  # fmt: skip
    """List warnings and errors of the installation's processes."""
    wanted = WantedEntries(part, component, level, q, from_, to)
    return await service.system_log(tx, caller, asked, wanted)
