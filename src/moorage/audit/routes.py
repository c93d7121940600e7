"""HTTP of the audit and the system log."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.kit import pages
from moorage.kit.asking import AsForm
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.exports import DOWNLOADS, NDJSON, download, written
from moorage.kit.http import (
    Asked,
    IfMatch,
    Instant,
    PageOut,
    Signed,
    Tx,
    check_match,
    may_fail,
    tag,
)
from moorage.organizations import InstallationOnly, PermissionMissing

from . import service
from .errors import (
    ChainUnknown,
    CollectorNameTaken,
    CollectorsTooMany,
    CollectorUnknown,
    RangeEmpty,
)
from .model import Checkpoint, Collector, Head, SystemEntry, Wanted, WantedEntries
from .schemas import (
    ChainedFactOut,
    ChainOut,
    CheckpointBody,
    CheckpointOut,
    CollectorBody,
    CollectorOut,
    CollectorPatch,
    FactOut,
    KeySetOut,
    SystemEntryOut,
)

router = APIRouter(prefix="/api/v1", tags=["audit"])
LINES = {NDJSON: DOWNLOADS[NDJSON]}
# What a verifier may fetch without being known here.
public = APIRouter(tags=["audit"])


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
    """List facts; as a download all of them with what proves them, oldest first."""
    wanted = Wanted(organization_id, subject_id, caller_id, name, from_, to)
    if form in DOWNLOADS:
        batches = service.export(request.app.state.database, caller, wanted)
        # The page is asked for too, so that a bad request is refused before it streams.
        await service.changes_of(tx, caller, pages.PageRequest(limit=1), wanted)
        service.note_export(tx, caller, wanted)
        return download(form, "audit", written(form, ChainedFactOut, batches))
    return await service.changes_of(tx, caller, asked, wanted)


@router.get(
    "/audit/chains",
    response_model=PageOut[ChainOut],
    responses=may_fail(CursorInvalid, FieldInvalid),
)
async def list_chains(tx: Tx, caller: Signed, asked: Asked) -> pages.Page[Head]:
    """List where the chains stand: what is sealed, signed and dropped."""
    return await service.list_chains(tx, caller, asked)


@router.get(
    "/audit/checkpoints",
    response_model=PageOut[CheckpointOut],
    responses={**may_fail(CursorInvalid, FieldInvalid), 200: {"content": LINES}},
)
async def list_checkpoints(
    tx: Tx, caller: Signed, asked: Asked, request: Request, form: AsForm,
    organization_id: Annotated[
        UUID | None,
        Query(alias="organizationId", description="Zero is the installation's chain."),
    ] = None,
) -> Any:  # fmt: skip
    """List checkpoints; as a download all of them, for `moorage audit verify`."""
    if form in LINES:
        batches = service.all_checkpoints(request.app.state.database, caller, organization_id)
        return download(form, "checkpoints", written(form, CheckpointOut, batches))
    return await service.list_checkpoints(tx, caller, asked, organization_id)


@router.post(
    "/audit/checkpoints",
    status_code=201,
    response_model=CheckpointOut,
    responses=may_fail(ChainUnknown, PermissionMissing),
)
async def sign_chain(body: CheckpointBody, tx: Tx, caller: Signed, request: Request) -> Checkpoint:
    """Sign a chain now, as far as it is sealed; gives the last checkpoint if it has not grown."""
    sealer = request.app.state.sealer
    return await service.sign_now(tx, caller, body.organization_id, sealer)


@router.get("/audit/keys", response_model=KeySetOut)
async def list_audit_keys(tx: Tx, _caller: Signed) -> Any:
    """List the public keys of the audit's signer."""
    return service.key_set(await service.list_keys(tx))


@public.get("/.well-known/moorage-audit-keys.json", response_model=KeySetOut)
async def publish_audit_keys(tx: Tx) -> Any:
    """List the public keys of the audit's signer, for whoever verifies without an account."""
    return service.key_set(await service.list_keys(tx))


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


# --- Collectors -----------------------------------------------------------

collectors = APIRouter(prefix="/api/v1/log-collectors", tags=["audit"])
_MANAGED = (CollectorUnknown, InstallationOnly)


@collectors.post("", status_code=201, response_model=CollectorOut,
                 responses=may_fail(InstallationOnly, FieldInvalid, CollectorNameTaken,
                                    CollectorsTooMany))  # fmt: skip
async def add_collector(
    body: CollectorBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> Collector:
    """Have the audit or the system log sent to a place outside, at least once and in order."""
    made = await service.add_collector(tx, caller, body.to_model(), request.app.state.sealer)
    response.headers["Location"] = f"/api/v1/log-collectors/{made.id}"
    tag(response, made.updated_at)
    return made


@collectors.get("", response_model=PageOut[CollectorOut],
                responses=may_fail(InstallationOnly, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_collectors(tx: Tx, caller: Signed, asked: Asked) -> pages.Page[Collector]:
    """List collectors, and how they fare."""
    return await service.list_collectors(tx, caller, asked)


@collectors.get("/{collector_id}", response_model=CollectorOut, responses=may_fail(*_MANAGED))
async def get_collector(
    collector_id: UUID, tx: Tx, caller: Signed, response: Response
) -> Collector:
    """Read a collector."""
    found = await service.get_collector(tx, caller, collector_id)
    tag(response, found.updated_at)
    return found


@collectors.patch("/{collector_id}", response_model=CollectorOut,
                  responses=may_fail(*_MANAGED, FieldInvalid, CollectorNameTaken,
                                     VersionStale))  # fmt: skip
async def change_collector(
    collector_id: UUID, body: CollectorPatch, tx: Tx, caller: Signed, request: Request,
    response: Response, if_match: IfMatch = None,
) -> Collector:  # fmt: skip
    """Change, pause or resume a collector; what it has not taken is kept for it."""
    found = await service.get_collector(tx, caller, collector_id, lock=True)
    check_match(if_match, found.updated_at)
    sealer = request.app.state.sealer
    changed = await service.change_collector(tx, caller, collector_id, body.to_changes(), sealer)
    tag(response, changed.updated_at)
    return changed


@collectors.delete("/{collector_id}", status_code=204, responses=may_fail(*_MANAGED))
async def remove_collector(collector_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a collector; it is sent nothing more."""
    await service.remove_collector(tx, caller, collector_id)
