"""HTTP of requests for access."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import GrantTooWide, PermissionGroupUnknown, PermissionMissing

from .. import service
from ..errors import AccessRequestUnknown, NotLetIn
from ..model import AccessRequest
from ..schemas import AcceptBody, AcceptedOut, AccessRequestOut

router = APIRouter(prefix="/api/v1/access-requests", tags=["identity-providers"])


@router.get("", response_model=PageOut[AccessRequestOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_access_requests(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of name or address.")] = None,
) -> pages.Page[AccessRequest]:  # fmt: skip
    """List who waits to be let in."""
    return await service.list_requests(tx, caller, asked, organization_id=organization_id, q=q)


@router.get("/{access_request_id}", response_model=AccessRequestOut,
            responses=may_fail(AccessRequestUnknown))  # fmt: skip
async def get_access_request(access_request_id: UUID, tx: Tx, caller: Signed) -> AccessRequest:
    """Read a request for access."""
    return await service.get_request(tx, caller, access_request_id)


@router.post("/{access_request_id}/accept", response_model=AcceptedOut,
             responses=may_fail(AccessRequestUnknown, PermissionMissing, PermissionGroupUnknown,
                                GrantTooWide, NotLetIn))  # fmt: skip
async def accept_access_request(
    access_request_id: UUID, body: AcceptBody, tx: Tx, caller: Signed, request: Request
) -> AcceptedOut:
    """Make the account of who asked, in these permission groups; they get a mail."""
    groups = tuple(dict.fromkeys(body.permission_group_ids))
    user = await service.accept(tx, caller, access_request_id, groups, request.app.state.post)
    return AcceptedOut(user_id=user.id)


@router.post("/{access_request_id}/reject", status_code=204,
             responses=may_fail(AccessRequestUnknown, PermissionMissing))  # fmt: skip
async def reject_access_request(
    access_request_id: UUID, tx: Tx, caller: Signed, request: Request
) -> None:
    """Reject a request for access; who asked gets a mail and may ask again after a week."""
    await service.reject(tx, caller, access_request_id, request.app.state.post)
