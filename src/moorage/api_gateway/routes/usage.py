"""HTTP of what everybody asks of the API."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from moorage.kit import pages
from moorage.kit.asking import AsForm
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.exports import DOWNLOADS, download, written
from moorage.kit.http import Asked, Instant, PageOut, Signed, Tx, may_fail

from .. import service
from ..model import WantedUsage
from ..schemas import TotalOut, TotalsOut, UsageOut

usage = APIRouter(prefix="/api/v1/usage", tags=["usage"])


def _wanted(
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    caller_id: Annotated[
        UUID | None, Query(alias="callerId", description="A person, key or client.")
    ] = None,
    client_id: Annotated[
        UUID | None, Query(alias="clientId", description="The OAuth client by which they asked.")
    ] = None,
    area: Annotated[str | None, Query(max_length=100, description="A tag of the API.")] = None,
    from_: Annotated[
        Instant | None, Query(alias="from", description="Hours that begin then or later.")
    ] = None,
    to: Annotated[Instant | None, Query(description="Hours that begin before.")] = None,
) -> WantedUsage:
    return WantedUsage(organization_id, caller_id, client_id, area, from_, to)


Wanted = Annotated[WantedUsage, Depends(_wanted)]


@usage.get("", response_model=PageOut[UsageOut],
           responses={**may_fail(CursorInvalid, FieldInvalid),
                      200: {"content": DOWNLOADS}})  # fmt: skip
async def list_usage(
    tx: Tx, caller: Signed, asked: Asked, wanted: Wanted, request: Request, form: AsForm
) -> Any:
    """List what was asked by the hour: your own, and of organizations whose users you read.

    As a download all of it, oldest first. Counts come in within some seconds and stay 400 days.
    """
    if form in DOWNLOADS:
        batches = service.export_usage(request.app.state.database, caller, wanted)
        # The page is asked for too, so that a bad request is refused before it streams.
        await service.list_usage(tx, caller, pages.PageRequest(limit=1), wanted)
        return download(form, "usage", written(form, UsageOut, batches))
    return await service.list_usage(tx, caller, asked, wanted)


@usage.get("/totals", response_model=TotalsOut)
async def add_up_usage(
    tx: Tx, caller: Signed, wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=500, description="At most this many callers.")] = 50,
) -> TotalsOut:  # fmt: skip
    """Add up by caller and client, those with the most calls first."""
    found = await service.totals(tx, caller, wanted, limit)
    return TotalsOut(items=[TotalOut.model_validate(one) for one in found])
