"""HTTP of notices."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from . import service
from .errors import NoticeCleared, NoticeUnknown
from .model import Notice, NoticeFilter, NoticeKind, NoticeState
from .schemas import NoticeOut

router = APIRouter(prefix="/api/v1/notices", tags=["notices"])


@router.get("", response_model=PageOut[NoticeOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_notices(
    tx: Tx, caller: Signed, asked: Asked,
    state: Annotated[list[NoticeState], Query(description="Any of these.")] = [],  # noqa: B006
    kind: Annotated[list[NoticeKind], Query(description="Any of these.")] = [],  # noqa: B006
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    application_id: Annotated[UUID | None, Query(alias="applicationId")] = None,
    subject_id: Annotated[UUID | None, Query(alias="subjectId")] = None,
) -> pages.Page[Notice]:  # fmt: skip
    """List what somebody should look at, the newest first."""
    wanted = NoticeFilter(tuple(state), tuple(kind), organization_id, application_id, subject_id)
    return await service.list_notices(tx, caller, asked, wanted)


@router.get("/{notice_id}", response_model=NoticeOut, responses=may_fail(NoticeUnknown))
async def get_notice(notice_id: UUID, tx: Tx, caller: Signed) -> Notice:
    """Read a notice."""
    return await service.get(tx, caller, notice_id)


@router.post("/{notice_id}/acknowledge", response_model=NoticeOut,
             responses=may_fail(NoticeUnknown, PermissionMissing, NoticeCleared))  # fmt: skip
async def acknowledge_notice(notice_id: UUID, tx: Tx, caller: Signed) -> Notice:
    """Take note of a notice; it stays until its cause is gone."""
    return await service.acknowledge(tx, caller, notice_id)
