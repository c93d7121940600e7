"""HTTP of invitations, as those who make them see them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail, tag
from moorage.organizations import GrantTooWide, PermissionGroupUnknown, PermissionMissing

from .. import service
from ..errors import EmailTaken, GroupForeign, InvitationUnknown, MailOff
from ..model import Invitation
from ..schemas import InvitationBody, InvitationOut, InvitedOut
from .people import by_mail, link_out

router = APIRouter(prefix="/api/v1/invitations", tags=["invitations"])


@router.post("", status_code=201, response_model=InvitedOut,
             responses=may_fail(EmailTaken, PermissionMissing, PermissionGroupUnknown,
                                GrantTooWide, GroupForeign, FieldInvalid, MailOff))  # fmt: skip
async def invite_person(
    body: InvitationBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> InvitedOut:
    """Ask a person in, for seven days; the link is mailed, or shown this once for you to pass on.

    Whether the person has an account elsewhere shows when they accept. To invite an address again
    ends the invitation before.
    """
    mailed = by_mail(request, body.by_mail)
    post = request.app.state.post
    made, link = await service.invite(tx, caller, body.to_model(), post, by_mail=mailed)
    response.headers["Location"] = f"/api/v1/invitations/{made.id}"
    response.headers["Cache-Control"] = "no-store"
    tag(response, made.updated_at)
    shown = InvitationOut.model_validate(made)
    return InvitedOut(
        **shown.model_dump(by_alias=False), link=link_out(request, link) if link else None
    )


@router.get("", response_model=PageOut[InvitationOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_invitations(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of name or e-mail.")] = None,
) -> pages.Page[Invitation]:  # fmt: skip
    """List the invitations of your organizations that wait for an answer."""
    return await service.list_invitations(tx, caller, asked, organization_id=organization_id, q=q)


@router.get("/{invitation_id}", response_model=InvitationOut,
            responses=may_fail(InvitationUnknown))  # fmt: skip
async def get_invitation(
    invitation_id: UUID, tx: Tx, caller: Signed, response: Response
) -> Invitation:
    """Read an invitation."""
    found = await service.get_invitation(tx, caller, invitation_id)
    tag(response, found.updated_at)
    return found


@router.delete("/{invitation_id}", status_code=204,
               responses=may_fail(InvitationUnknown, PermissionMissing))  # fmt: skip
async def withdraw_invitation(invitation_id: UUID, tx: Tx, caller: Signed) -> None:
    """Withdraw an invitation; its link stops working."""
    await service.withdraw(tx, caller, invitation_id)
