"""HTTP of the sites whose pages may ask."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.oauth import ClientUnknown
from moorage.organizations import InstallationOnly, OrganizationUnknown, PermissionMissing

from .. import service
from ..errors import OriginThere, OriginUnknown
from ..model import Origin
from ..schemas import OriginBody, OriginOut

origins = APIRouter(prefix="/api/v1/allowed-origins", tags=["allowed-origins"])


@origins.post("", status_code=201, response_model=OriginOut,
              responses=may_fail(OrganizationUnknown, ClientUnknown, PermissionMissing,
                                 InstallationOnly, OriginThere, FieldInvalid))  # fmt: skip
async def allow_origin(body: OriginBody, tx: Tx, caller: Signed, response: Response) -> Origin:
    """Let pages of a site ask for an organization's people and programs, or for one client."""
    made = await service.allow_origin(tx, caller, body.organization_id, body.client_id, body.origin)
    response.headers["Location"] = f"/api/v1/allowed-origins/{made.id}"
    return made


@origins.get("", response_model=PageOut[OriginOut],
             responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_allowed_origins(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    client_id: Annotated[UUID | None, Query(alias="clientId")] = None,
) -> pages.Page[Origin]:  # fmt: skip
    """List the sites whose pages may ask for your organizations."""
    return await service.list_origins(
        tx, caller, asked, organization_id=organization_id, client_id=client_id
    )


@origins.get("/{origin_id}", response_model=OriginOut, responses=may_fail(OriginUnknown))
async def get_allowed_origin(origin_id: UUID, tx: Tx, caller: Signed) -> Origin:
    """Read a site whose pages may ask."""
    return await service.get_origin(tx, caller, origin_id)


@origins.delete("/{origin_id}", status_code=204,
                responses=may_fail(OriginUnknown, PermissionMissing,
                                   InstallationOnly))  # fmt: skip
async def remove_allowed_origin(origin_id: UUID, tx: Tx, caller: Signed) -> None:
    """Let pages of a site ask no longer; it acts within a second."""
    await service.remove_origin(tx, caller, origin_id)
