"""HTTP of setting identity providers up."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

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
from ..errors import ProviderShared, ProvidersTooMany, ProviderTaken, ProviderUnknown
from ..model import Provider, Trial
from ..schemas import (
    IdentityProviderBody,
    IdentityProviderOut,
    IdentityProviderPatch,
    ProviderTrialOut,
    TryProviderBody,
)

router = APIRouter(prefix="/api/v1/identity-providers", tags=["identity-providers"])


@router.post("", status_code=201, response_model=IdentityProviderOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PermissionGroupUnknown, GrantTooWide, FieldInvalid,
                                ProviderTaken, ProvidersTooMany))  # fmt: skip
async def add_identity_provider(
    body: IdentityProviderBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> IdentityProviderOut:
    """Add an identity provider that people sign in by."""
    made = await service.add(tx, caller, body.to_model(), request.app.state.sealer)
    response.headers["Location"] = f"/api/v1/identity-providers/{made.id}"
    return _shown(response, made)


@router.post("/test", response_model=ProviderTrialOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                PermissionGroupUnknown, GrantTooWide, FieldInvalid))  # fmt: skip
async def test_new_identity_provider(
    body: IdentityProviderBody, caller: Signed, request: Request
) -> Trial:
    """Try what would make a provider: find it, read its keys, tell each step."""
    state = request.app.state
    return await service.try_new(
        state.database, caller, body.to_model(), state.outbound, state.post
    )


@router.get("", response_model=PageOut[IdentityProviderOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_identity_providers(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[IdentityProviderOut]:  # fmt: skip
    """List identity providers."""
    page = await service.list_providers(tx, caller, asked, organization_id=organization_id, q=q)
    return pages.Page([IdentityProviderOut.of(one) for one in page.items], page.next, page.total)


@router.get("/{provider_id}", response_model=IdentityProviderOut,
            responses=may_fail(ProviderUnknown))  # fmt: skip
async def get_identity_provider(
    provider_id: UUID, tx: Tx, caller: Signed, response: Response
) -> IdentityProviderOut:
    """Read an identity provider."""
    return _shown(response, await service.get(tx, caller, provider_id))


@router.patch("/{provider_id}", response_model=IdentityProviderOut,
              responses=may_fail(ProviderUnknown, PermissionMissing, InstallationOnly,
                                 PermissionGroupUnknown, GrantTooWide, FieldInvalid,
                                 ProviderTaken, ProviderShared, VersionStale))  # fmt: skip
async def change_identity_provider(
    provider_id: UUID, body: IdentityProviderPatch, tx: Tx, caller: Signed, request: Request,
    response: Response, if_match: IfMatch = None,
) -> IdentityProviderOut:  # fmt: skip
    """Change an identity provider; one that is switched off signs its people out."""
    check_match(if_match, (await service.get(tx, caller, provider_id, lock=True)).updated_at)
    sealer = request.app.state.sealer
    return _shown(
        response, await service.change(tx, caller, provider_id, body.to_changes(), sealer)
    )


@router.delete("/{provider_id}", status_code=204,
               responses=may_fail(ProviderUnknown, PermissionMissing))  # fmt: skip
async def remove_identity_provider(provider_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove an identity provider; its people keep their accounts, without what it gave them."""
    await service.remove(tx, caller, provider_id)


@router.post("/{provider_id}/test", response_model=ProviderTrialOut,
             responses=may_fail(ProviderUnknown, PermissionMissing, FieldInvalid))  # fmt: skip
async def test_identity_provider(
    provider_id: UUID, body: TryProviderBody, caller: Signed, request: Request
) -> Trial:
    """Try a provider as it would be with these changes, and tell each step."""
    state = request.app.state
    return await service.try_change(
        state.database, caller, provider_id, body.changes.to_changes(), state.outbound, state.post
    )


def _shown(response: Response, provider: Provider) -> IdentityProviderOut:
    tag(response, provider.updated_at)
    return IdentityProviderOut.of(provider)
