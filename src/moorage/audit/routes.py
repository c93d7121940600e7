"""HTTP of the audit and the system log."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, Instant, PageOut, Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from . import service
from .errors import RangeEmpty
from .model import FactEntry, SystemEntry, Wanted, WantedEntries
from .schemas import FactOut, SystemEntryOut

router = APIRouter(prefix="/api/v1", tags=["audit"])

NDJSON = "application/x-ndjson"
CSV = "text/csv"
COLUMNS = list(FactOut.model_json_schema(by_alias=True)["properties"])


@router.get(
    "/audit",
    response_model=PageOut[FactOut],
    responses={
        **may_fail(CursorInvalid, FieldInvalid, RangeEmpty),
        200: {
            "content": {
                NDJSON: {"schema": {"type": "string"}},
                CSV: {"schema": {"type": "string"}},
            }
        },
    },
)
async def list_facts(
    tx: Tx, caller: Signed, asked: Asked, request: Request,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    subject_id: Annotated[UUID | None, Query(alias="subjectId")] = None,
    caller_id: Annotated[UUID | None, Query(alias="callerId")] = None,
    name: Annotated[str | None, Query(max_length=100, description="Beginning of the name.")] = None,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Annotated[Instant | None, Query()] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Any:  # fmt: skip
    """List facts; as `application/x-ndjson` or `text/csv` all of them, oldest first."""
    wanted = Wanted(organization_id, subject_id, caller_id, name, from_, to)
    for kind in (NDJSON, CSV):
        if accept is not None and kind in accept:
            batches = service.export(request.app.state.database, caller, wanted)
            # The page is asked for too, so that a bad request is refused before it streams.
            await service.changes_of(tx, caller, pages.PageRequest(limit=1), wanted)
            service.note_export(tx, caller, wanted)
            name = f"audit.{'csv' if kind == CSV else 'ndjson'}"
            return StreamingResponse(
                _csv(batches) if kind == CSV else _ndjson(batches),
                media_type=kind,
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
    return await service.changes_of(tx, caller, asked, wanted)


@router.get("/system-log", response_model=PageOut[SystemEntryOut],
            responses=may_fail(PermissionMissing, CursorInvalid, FieldInvalid,
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


async def _ndjson(batches: AsyncIterator[Sequence[FactEntry]]) -> AsyncIterator[str]:
    async for batch in batches:
        yield "".join(
            FactOut.model_validate(fact).model_dump_json(by_alias=True) + "\n" for fact in batch
        )


async def _csv(batches: AsyncIterator[Sequence[FactEntry]]) -> AsyncIterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    async for batch in batches:
        text = io.StringIO()
        rows = csv.writer(text)
        for fact in batch:
            shown = FactOut.model_validate(fact).model_dump(mode="json", by_alias=True)
            rows.writerow(_cell(shown[column]) for column in COLUMNS)
        yield text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    # A spreadsheet would run such a text as a formula.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
