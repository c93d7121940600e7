"""HTTP of applications; moving and removing them is with the devices they own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import OrganizationUnknown, PermissionMissing

from . import service
from .errors import ApplicationNameTaken, ApplicationUnknown, DatesReversed
from .model import Application, ApplicationFilter, ApplicationStatus
from .schemas import ApplicationBody, ApplicationOut, ApplicationPatch

router = APIRouter(prefix="/api/v1/applications", tags=["applications"])


@router.post("", status_code=201, response_model=ApplicationOut,
             responses=may_fail(OrganizationUnknown, PermissionMissing, ApplicationNameTaken,
                                DatesReversed))  # fmt: skip
async def make_application(
    body: ApplicationBody, tx: Tx, caller: Signed, response: Response
) -> Application:
    """Make an application."""
    application = await service.make(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/applications/{application.id}"
    tag(response, application.updated_at)
    return application


@router.get("", response_model=PageOut[ApplicationOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_applications(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    status: Annotated[list[ApplicationStatus], Query(description="Any of these.")] = [],  # noqa: B006
    owner: Annotated[str | None, Query(max_length=100)] = None,
    category: Annotated[str | None, Query(max_length=100)] = None,
    q: Annotated[str | None, Query(max_length=200, description="In name or description.")] = None,
) -> pages.Page[Application]:  # fmt: skip
    """List the applications you may see."""
    wanted = ApplicationFilter(organization_id, tuple(status), owner, category, q)
    return await service.list_applications(tx, caller, asked, wanted)


@router.get("/{application_id}", response_model=ApplicationOut,
            responses=may_fail(ApplicationUnknown))  # fmt: skip
async def get_application(
    application_id: UUID, tx: Tx, caller: Signed, response: Response
) -> Application:
    """Read an application."""
    application = await service.get(tx, caller, application_id)
    tag(response, application.updated_at)
    return application


@router.patch("/{application_id}", response_model=ApplicationOut,
              responses=may_fail(ApplicationUnknown, PermissionMissing, ApplicationNameTaken,
                                 DatesReversed, VersionStale))  # fmt: skip
async def change_application(
    application_id: UUID, body: ApplicationPatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> Application:  # fmt: skip
    """Change an application."""
    check_match(if_match, (await service.get(tx, caller, application_id, lock=True)).updated_at)
    application = await service.change(tx, caller, application_id, body.to_changes())
    tag(response, application.updated_at)
    return application
