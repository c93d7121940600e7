"""HTTP of API keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import (
    GrantTooWide,
    InstallationOnly,
    OrganizationUnknown,
    PermissionGroupUnknown,
    PermissionMissing,
)

from .. import service
from ..errors import ApiKeyNameTaken, ApiKeyUnknown, GroupForeign, PersonNeeded
from ..model import ApiKey
from ..schemas import ApiKeyBody, ApiKeyOut, ApiKeyPatch, IssuedKeyOut

router = APIRouter(prefix="/api/v1/api-keys", tags=["api-keys"])


@router.get("", response_model=PageOut[ApiKeyOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_api_keys(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[ApiKey]:  # fmt: skip
    """List the API keys of your organizations."""
    return await service.list_keys(tx, caller, asked, organization_id=organization_id, q=q)


@router.post("", status_code=201, response_model=IssuedKeyOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PersonNeeded, PermissionGroupUnknown, GrantTooWide, GroupForeign,
                                ApiKeyNameTaken, FieldInvalid))  # fmt: skip
async def issue_api_key(
    body: ApiKeyBody, tx: Tx, caller: Signed, response: Response
) -> IssuedKeyOut:
    """Make an API key; its secret is in this answer and never shown again."""
    key, secret = await service.issue_key(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/api-keys/{key.id}"
    response.headers["Cache-Control"] = "no-store"
    tag(response, key.updated_at)
    shown = ApiKeyOut.model_validate(key)
    return IssuedKeyOut(**shown.model_dump(by_alias=False), key=secret)


@router.get("/{key_id}", response_model=ApiKeyOut, responses=may_fail(ApiKeyUnknown))
async def get_api_key(key_id: UUID, tx: Tx, caller: Signed, response: Response) -> ApiKey:
    """Read an API key."""
    key = await service.get_key(tx, caller, key_id)
    tag(response, key.updated_at)
    return key


@router.patch("/{key_id}", response_model=ApiKeyOut,
              responses=may_fail(ApiKeyUnknown, PersonNeeded, PermissionMissing,
                                 PermissionGroupUnknown, GrantTooWide, GroupForeign,
                                 ApiKeyNameTaken, VersionStale))  # fmt: skip
async def change_api_key(
    key_id: UUID, body: ApiKeyPatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> ApiKey:  # fmt: skip
    """Change an API key; it acts at once."""
    check_match(if_match, (await service.get_key(tx, caller, key_id, lock=True)).updated_at)
    key = await service.change_key(tx, caller, key_id, body.to_changes())
    tag(response, key.updated_at)
    return key


@router.delete("/{key_id}", status_code=204,
               responses=may_fail(ApiKeyUnknown, PermissionMissing))  # fmt: skip
async def revoke_api_key(key_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove an API key; it is refused from now on."""
    await service.revoke_key(tx, caller, key_id)
