"""HTTP of who may do what."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import (
    OrganizationUnknown,
    Permission,
    PermissionMissing,
)

from .. import service
from ..model import Access
from ..schemas import AccessOut

router = APIRouter(prefix="/api/v1/access", tags=["access"])


@router.get("", response_model=PageOut[AccessOut],
            responses=may_fail(OrganizationUnknown, PermissionMissing, CursorInvalid,
                               FieldInvalid))  # fmt: skip
async def explain_access(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID, Query(alias="organizationId")],
    application_id: Annotated[UUID | None, Query(
        alias="applicationId",
        description="Of the organization. A device is accessible as its application is, and to "
        "its owner.",
    )] = None,
    owner_id: Annotated[UUID | None, Query(
        alias="ownerId", description="Whose the device is that it is about (its `ownerId`).",
    )] = None,
    permission: Annotated[Permission | None, Query(
        description="Only those who hold this permission there."
    )] = None,
) -> pages.Page[Access]:  # fmt: skip
    """Tell who may do what with an application and its devices, by which path and until when.

    Without an application: with the organization as a whole; rights that are limited to listed
    applications are told with those, and rights to one's own devices with `ownerId`. It asks the
    same check that every request passes.
    """
    return await service.explain(
        tx, caller, asked, organization_id, application_id, owner_id, permission=permission
    )
