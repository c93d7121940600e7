"""HTTP of our keys towards identity providers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request, Response

from moorage.kit.errors import FieldInvalid
from moorage.kit.http import Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from .. import service
from ..errors import KeyInUse, KeysTooMany, KeyUnknown, ProviderUnknown
from ..model import Key
from ..schemas import KeyBody, KeyOut

router = APIRouter(
    prefix="/api/v1/identity-providers/{provider_id}/keys", tags=["identity-providers"]
)


@router.get("", response_model=list[KeyOut], responses=may_fail(ProviderUnknown))
async def list_identity_provider_keys(provider_id: UUID, tx: Tx, caller: Signed) -> list[Key]:
    """List our keys towards a provider; the one that signs comes first."""
    return await service.list_keys(tx, caller, provider_id)


@router.post("", status_code=201, response_model=KeyOut,
             responses=may_fail(ProviderUnknown, PermissionMissing, FieldInvalid,
                                KeysTooMany))  # fmt: skip
async def add_identity_provider_key(
    provider_id: UUID, tx: Tx, caller: Signed, request: Request, response: Response,
    body: Annotated[KeyBody | None, Body()] = None,
) -> Key:  # fmt: skip
    """Add a key that is brought, or a new one; it is in our metadata, and does not sign yet."""
    brought = body.to_model() if body is not None else None
    made = await service.add_key(tx, caller, provider_id, brought, request.app.state.sealer)
    response.headers["Location"] = f"/api/v1/identity-providers/{provider_id}/keys/{made.id}"
    return made


@router.get("/{key_id}", response_model=KeyOut, responses=may_fail(ProviderUnknown, KeyUnknown))
async def get_identity_provider_key(provider_id: UUID, key_id: UUID, tx: Tx, caller: Signed) -> Key:
    """Read one of our keys towards a provider."""
    return await service.get_key(tx, caller, provider_id, key_id)


@router.post("/{key_id}/use", response_model=list[KeyOut],
             responses=may_fail(ProviderUnknown, PermissionMissing, KeyUnknown))  # fmt: skip
async def use_identity_provider_key(
    provider_id: UUID, key_id: UUID, tx: Tx, caller: Signed
) -> list[Key]:
    """Sign with a key from now on; the other still opens what is encrypted for it."""
    return await service.use_key(tx, caller, provider_id, key_id)


@router.delete("/{key_id}", status_code=204,
               responses=may_fail(ProviderUnknown, PermissionMissing, KeyUnknown,
                                  KeyInUse))  # fmt: skip
async def remove_identity_provider_key(
    provider_id: UUID, key_id: UUID, tx: Tx, caller: Signed
) -> None:
    """Remove a key that does not sign."""
    await service.remove_key(tx, caller, provider_id, key_id)
