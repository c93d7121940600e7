"""HTTP of sources."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.groups import ApplicationUnknown
from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import OrganizationUnknown, PermissionMissing

from . import service
from .errors import SourceNameTaken, SourcesTooMany, SourceUnknown
from .model import LogEntry, Source, Trial
from .schemas import SourceBody, SourceLogOut, SourceOut, SourcePatch, SourceTrialOut

router = APIRouter(prefix="/api/v1/sources", tags=["sources"])


@router.post("", status_code=201, response_model=SourceOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, ApplicationUnknown,
                                FieldInvalid, SourceNameTaken, SourcesTooMany))  # fmt: skip
async def add_source(
    body: SourceBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> Source:
    """Add a source: a broker that messages are fetched from at once."""
    source = await service.add(tx, caller, body.to_model(), request.app.state.sealer)
    response.headers["Location"] = f"/api/v1/sources/{source.id}"
    tag(response, source.updated_at)
    return source


@router.post("/test", response_model=SourceTrialOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, ApplicationUnknown,
                                FieldInvalid))  # fmt: skip
async def test_new_source(body: SourceBody, caller: Signed, request: Request) -> Trial:
    """Connect to a broker for some seconds and show what would become of what comes."""
    state = request.app.state
    return await service.try_new(state.database, caller, body.to_model(), state.outbound)


@router.get("", response_model=PageOut[SourceOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_sources(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of name or URL.")] = None,
) -> pages.Page[Source]:  # fmt: skip
    """List sources."""
    return await service.list_sources(tx, caller, asked, organization_id=organization_id, q=q)


@router.get("/{source_id}", response_model=SourceOut, responses=may_fail(SourceUnknown))
async def get_source(source_id: UUID, tx: Tx, caller: Signed, response: Response) -> Source:
    """Read a source."""
    source = await service.get(tx, caller, source_id)
    tag(response, source.updated_at)
    return source


@router.patch("/{source_id}", response_model=SourceOut,
              responses=may_fail(SourceUnknown, PermissionMissing, ApplicationUnknown,
                                 FieldInvalid, SourceNameTaken, VersionStale))  # fmt: skip
async def change_source(
    source_id: UUID, body: SourcePatch, tx: Tx, caller: Signed, request: Request,
    response: Response, if_match: IfMatch = None,
) -> Source:  # fmt: skip
    """Change a source; it connects anew."""
    check_match(if_match, (await service.get(tx, caller, source_id, lock=True)).updated_at)
    sealer = request.app.state.sealer
    source = await service.change(tx, caller, source_id, body.to_changes(), sealer)
    tag(response, source.updated_at)
    return source


@router.delete("/{source_id}", status_code=204,
               responses=may_fail(SourceUnknown, PermissionMissing))  # fmt: skip
async def remove_source(source_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a source; devices and what it brought stay."""
    await service.remove(tx, caller, source_id)


@router.post("/{source_id}/pause", response_model=SourceOut,
             responses=may_fail(SourceUnknown, PermissionMissing))  # fmt: skip
async def pause_source(source_id: UUID, tx: Tx, caller: Signed) -> Source:
    """Stop fetching; what arrives meanwhile waits at the broker, as far as that keeps it."""
    return await service.pause(tx, caller, source_id, paused=True)


@router.post("/{source_id}/resume", response_model=SourceOut,
             responses=may_fail(SourceUnknown, PermissionMissing))  # fmt: skip
async def resume_source(source_id: UUID, tx: Tx, caller: Signed) -> Source:
    """Go on fetching."""
    return await service.pause(tx, caller, source_id, paused=False)


@router.post("/{source_id}/test", response_model=SourceTrialOut,
             responses=may_fail(SourceUnknown, PermissionMissing, FieldInvalid))  # fmt: skip
async def test_source(
    source_id: UUID, body: SourcePatch, caller: Signed, request: Request
) -> Trial:
    """Connect as the source would with these changes, beside it, and show what comes."""
    state = request.app.state
    return await service.try_change(
        state.database, caller, source_id, body.to_changes(), state.sealer, state.outbound
    )


@router.get("/{source_id}/log", response_model=PageOut[SourceLogOut],
            responses=may_fail(SourceUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_source_log(
    source_id: UUID, tx: Tx, caller: Signed, asked: Asked,
    refused: Annotated[bool, Query(description="Only what was not taken.")] = False,
) -> pages.Page[LogEntry]:  # fmt: skip
    """List a source's latest messages, newest first: at most 20 a second of each outcome."""
    return await service.log_of(tx, caller, source_id, asked, refused=refused)
