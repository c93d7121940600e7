"""HTTP of organisations and permission groups."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag

from . import service
from .errors import (
    ApplicationForeign,
    GrantTooWide,
    GroupInItself,
    InstallationOnly,
    LastAdmin,
    MemberForeign,
    MemberUnknown,
    OrganizationInUse,
    OrganizationNameTaken,
    OrganizationUnknown,
    PermissionGroupNameTaken,
    PermissionGroupUnknown,
    PermissionMissing,
)
from .model import Member, MemberKind, Organization, PermissionGroup
from .schemas import (
    MemberBody,
    MemberOut,
    OrganizationBody,
    OrganizationOut,
    OrganizationPatch,
    PermissionGroupBody,
    PermissionGroupOut,
    PermissionGroupPatch,
)

router = APIRouter(prefix="/api/v1/organizations", tags=["organizations"])
permissions = APIRouter(prefix="/api/v1/permissions", tags=["permissions"])


@router.post("", status_code=201, response_model=OrganizationOut,
             responses=may_fail(InstallationOnly, OrganizationNameTaken, FieldInvalid))  # fmt: skip
async def found_organization(
    body: OrganizationBody, tx: Tx, caller: Signed, response: Response
) -> Organization:
    """Found an organization; it gets three ready-made permission groups."""
    organization = await service.found(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/organizations/{organization.id}"
    tag(response, organization.updated_at)
    return organization


@router.get("", response_model=PageOut[OrganizationOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_organizations(
    tx: Tx, caller: Signed, asked: Asked,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[Organization]:  # fmt: skip
    """List the organizations you belong to."""
    return await service.list_organizations(tx, caller, asked, q)


@router.get("/{organization_id}", response_model=OrganizationOut,
            responses=may_fail(OrganizationUnknown))  # fmt: skip
async def get_organization(
    organization_id: UUID, tx: Tx, caller: Signed, response: Response
) -> Organization:
    """Read an organization."""
    organization = await service.get(tx, caller, organization_id)
    tag(response, organization.updated_at)
    return organization


@router.patch("/{organization_id}", response_model=OrganizationOut,
              responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                 OrganizationNameTaken, FieldInvalid, VersionStale))  # fmt: skip
async def change_organization(
    organization_id: UUID, body: OrganizationPatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> Organization:  # fmt: skip
    """Change an organization."""
    check_match(if_match, (await service.get(tx, caller, organization_id, lock=True)).updated_at)
    organization = await service.change(tx, caller, organization_id, body.to_changes())
    tag(response, organization.updated_at)
    return organization


@router.delete("/{organization_id}", status_code=204,
               responses=may_fail(OrganizationUnknown, InstallationOnly,
                                  OrganizationInUse))  # fmt: skip
async def dissolve_organization(organization_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove an organization that owns nothing any more."""
    await service.dissolve(tx, caller, organization_id)


@permissions.post("", status_code=201, response_model=PermissionGroupOut,
                  responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                                     GrantTooWide, PermissionGroupNameTaken, ApplicationForeign,
                                     FieldInvalid))  # fmt: skip
async def make_permission_group(
    body: PermissionGroupBody, tx: Tx, caller: Signed, response: Response
) -> PermissionGroup:
    """Make a permission group; it cannot hold more than you hold.

    Without `users:manage`, one that is limited to applications you manage, to share them.
    """
    group = await service.make_group(tx, caller, body.to_model())
    response.headers["Location"] = f"/api/v1/permissions/{group.id}"
    tag(response, group.updated_at)
    return group


@permissions.get("", response_model=PageOut[PermissionGroupOut],
                 responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_permission_groups(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    member_id: Annotated[UUID | None, Query(alias="memberId")] = None,
) -> pages.Page[PermissionGroup]:  # fmt: skip
    """List permission groups."""
    return await service.list_groups(
        tx, caller, asked, organization_id=organization_id, member_id=member_id
    )


@permissions.get("/{group_id}", response_model=PermissionGroupOut,
                 responses=may_fail(PermissionGroupUnknown))  # fmt: skip
async def get_permission_group(
    group_id: UUID, tx: Tx, caller: Signed, response: Response
) -> PermissionGroup:
    """Read a permission group."""
    group = await service.get_group(tx, caller, group_id)
    tag(response, group.updated_at)
    return group


@permissions.patch("/{group_id}", response_model=PermissionGroupOut,
                   responses=may_fail(PermissionGroupUnknown, PermissionMissing, GrantTooWide,
                                      PermissionGroupNameTaken, ApplicationForeign,
                                      FieldInvalid, LastAdmin, VersionStale))  # fmt: skip
async def change_permission_group(
    group_id: UUID, body: PermissionGroupPatch, tx: Tx, caller: Signed, response: Response,
    if_match: IfMatch = None,
) -> PermissionGroup:  # fmt: skip
    """Change a permission group; it acts at once for every member."""
    check_match(if_match, (await service.get_group(tx, caller, group_id, lock=True)).updated_at)
    group = await service.change_group(tx, caller, group_id, body.to_changes())
    tag(response, group.updated_at)
    return group


@permissions.delete("/{group_id}", status_code=204,
                    responses=may_fail(PermissionGroupUnknown, PermissionMissing, GrantTooWide,
                                       LastAdmin))  # fmt: skip
async def remove_permission_group(group_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a permission group; its members lose what it gave at once."""
    await service.remove_group(tx, caller, group_id)


@permissions.get("/{group_id}/members", response_model=list[MemberOut],
                 responses=may_fail(PermissionGroupUnknown))  # fmt: skip
async def list_members(group_id: UUID, tx: Tx, caller: Signed) -> list[Member]:
    """List a permission group's members."""
    return await service.members_of(tx, caller, group_id)


@permissions.post("/{group_id}/members", status_code=204,
                  responses=may_fail(PermissionGroupUnknown, MemberUnknown, MemberForeign,
                                     GroupInItself, PermissionMissing, GrantTooWide, LastAdmin,
                                     FieldInvalid))  # fmt: skip
async def add_member(group_id: UUID, body: MemberBody, tx: Tx, caller: Signed) -> None:
    """Put a user, a program or another permission group into a permission group.

    Members of a group that is put in get what this one gives. Who is in it already stays until
    the time given now.
    """
    await service.add_member(tx, caller, group_id, body.to_model())


@permissions.delete("/{group_id}/members/{kind}/{member_id}", status_code=204,
                    responses=may_fail(PermissionGroupUnknown, PermissionMissing, GrantTooWide,
                                       LastAdmin))  # fmt: skip
async def remove_member(
    group_id: UUID, kind: MemberKind, member_id: UUID, tx: Tx, caller: Signed
) -> None:
    """Take a user, program or group out of a permission group."""
    await service.revoke(tx, caller, group_id, kind, member_id)
