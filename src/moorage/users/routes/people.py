"""HTTP of users."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import (
    GrantTooWide,
    LastAdmin,
    PermissionGroupUnknown,
    PermissionMissing,
)

from .. import service
from ..errors import (
    EmailTaken,
    InvitationNeeded,
    MailOff,
    PersonNeeded,
    SessionUnknown,
    UserOutranks,
    UserShared,
    UserUnknown,
)
from ..model import Link, User
from ..schemas import AddedOut, LinkOut, SessionOut, UserBody, UserOut, UserPatch
from .auth import session_out

router = APIRouter(prefix="/api/v1/users", tags=["users"])


def by_mail(request: Request, asked: bool | None) -> bool:
    """Tell whether a link is to be mailed: as asked, else where mail is sent."""
    works: bool = request.app.state.post.works
    return works if asked is None else asked


def link_out(request: Request, link: Link) -> LinkOut:
    """Give a link as it is shown."""
    url = f"{request.app.state.public_url}/sign-in#token={link.token}"
    return LinkOut(kind=link.kind, url=url, expires_at=link.expires_at)


@router.get("", response_model=PageOut[UserOut], responses=may_fail(CursorInvalid, FieldInvalid))
async def list_users(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: Annotated[UUID | None, Query(alias="organizationId")] = None,
    active: Annotated[bool | None, Query(description="Only open or only closed accounts.")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of name or e-mail.")] = None,
) -> pages.Page[User]:  # fmt: skip
    """List the users who share an organization with you."""
    return await service.list_users(
        tx, caller, asked, organization_id=organization_id, active=active, q=q
    )


@router.post("", status_code=201, response_model=AddedOut,
             responses=may_fail(InvitationNeeded, EmailTaken, PermissionGroupUnknown,
                                GrantTooWide, MailOff))  # fmt: skip
async def add_user(
    body: UserBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> AddedOut:
    """Make a user at once, as a GlobalAdmin; the link is mailed, or for you to pass on."""
    post = request.app.state.post if by_mail(request, body.by_mail) else None
    user, link = await service.add(tx, caller, body.to_model(), post)
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    response.headers["Cache-Control"] = "no-store"
    tag(response, user.updated_at)
    shown = UserOut.model_validate(user)
    return AddedOut(
        **shown.model_dump(by_alias=False), link=link_out(request, link) if link else None
    )


@router.get("/{user_id}", response_model=UserOut, responses=may_fail(UserUnknown))
async def get_user(user_id: UUID, tx: Tx, caller: Signed, response: Response) -> User:
    """Read a user."""
    user = await service.get(tx, caller, user_id)
    tag(response, user.updated_at)
    return user


@router.patch("/{user_id}", response_model=UserOut,
              responses=may_fail(UserUnknown, PermissionMissing, UserShared, UserOutranks,
                                 EmailTaken, LastAdmin, VersionStale))  # fmt: skip
async def change_user(
    user_id: UUID, body: UserPatch, tx: Tx, caller: Signed, request: Request, response: Response,
    if_match: IfMatch = None,
) -> User:  # fmt: skip
    """Change a user; deactivation and expiry act at once."""
    check_match(if_match, (await service.get(tx, caller, user_id, lock=True)).updated_at)
    user = await service.change(tx, caller, user_id, body.given(), request.app.state.post)
    tag(response, user.updated_at)
    return user


@router.delete("/{user_id}", status_code=204,
               responses=may_fail(UserUnknown, PermissionMissing, UserShared,
                                  LastAdmin))  # fmt: skip
async def erase_user(user_id: UUID, tx: Tx, caller: Signed) -> None:
    """Erase a user; the audit keeps a pseudonym."""
    await service.erase(tx, caller, user_id)


@router.delete("/{user_id}/organizations/{organization_id}", status_code=204,
               responses=may_fail(UserUnknown, PermissionMissing))  # fmt: skip
async def take_user_out(user_id: UUID, organization_id: UUID, tx: Tx, caller: Signed) -> None:
    """Take a user out of every permission group of an organization; it acts at once."""
    await service.take_out(tx, caller, user_id, organization_id)


@router.post("/{user_id}/link", status_code=201, response_model=LinkOut,
             responses=may_fail(UserUnknown, PermissionMissing, UserShared, UserOutranks,
                                PersonNeeded))  # fmt: skip
async def make_link(user_id: UUID, tx: Tx, caller: Signed, request: Request) -> LinkOut:
    """Make a link that signs a user in once; earlier links stop working."""
    return link_out(request, await service.make_link(tx, caller, user_id))


@router.get("/{user_id}/sessions", response_model=list[SessionOut],
            responses=may_fail(UserUnknown, PermissionMissing))  # fmt: skip
async def list_sessions_of(user_id: UUID, tx: Tx, caller: Signed) -> list[SessionOut]:
    """List where a user is signed in."""
    return [session_out(s, caller) for s in await service.sessions_of(tx, caller, user_id)]


@router.delete("/{user_id}/sessions/{session_id}", status_code=204,
               responses=may_fail(UserUnknown, SessionUnknown, PermissionMissing))  # fmt: skip
async def end_session_of(user_id: UUID, session_id: UUID, tx: Tx, caller: Signed) -> None:
    """End one session of a user."""
    await service.end_session(tx, caller, user_id, session_id)


@router.delete("/{user_id}/second-factors", status_code=204,
               responses=may_fail(UserUnknown, PermissionMissing, UserShared, UserOutranks,
                                  PersonNeeded))  # fmt: skip
async def remove_second_factors_of(user_id: UUID, tx: Tx, caller: Signed, request: Request) -> None:
    """Remove all second factors of a user who has lost them; every session ends."""
    await service.remove_second_factors(tx, caller, user_id, request.app.state.post)


@router.post("/{user_id}/end-sessions", status_code=204,
             responses=may_fail(UserUnknown, PermissionMissing))  # fmt: skip
async def end_sessions(user_id: UUID, tx: Tx, caller: Signed) -> None:
    """End every session of a user."""
    await service.end_sessions(tx, caller, user_id)
