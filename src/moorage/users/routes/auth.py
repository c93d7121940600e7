"""HTTP of signing in and out."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import JsonValue

from moorage.kit import pages
from moorage.kit.browsers import asker_of, give_session, take_session
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, Unsigned, may_fail

from .. import service
from ..errors import (
    AccountExists,
    CredentialsWrong,
    InvitationUnknown,
    InvitationVoid,
    MailOff,
    PasswordWeak,
    PersonNeeded,
    PreferencesTooLarge,
    SecondFactorNeeded,
    SecondFactorWrong,
    SessionUnknown,
    TooManyFailures,
    TooManyResets,
)
from ..model import (
    CONSOLE_ABSOLUTE,
    ReceivedInvitation,
    Session,
    SessionKind,
    SignedIn,
    Tokens,
    Visitor,
)
from ..schemas import (
    GrantOut,
    LinkBody,
    MeOut,
    NewPasswordBody,
    PasswordBody,
    Preference,
    ReceivedInvitationOut,
    RefreshBody,
    ResetBody,
    SessionOut,
    SignInBody,
    TokensOut,
    UserOut,
    WaysOut,
)

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


def visitor_of(request: Request) -> Visitor:
    """Tell from where a request comes."""
    return Visitor(*asker_of(request))


def let_in(request: Request, response: Response, signed_in: SignedIn) -> None:
    """Give a console session to the browser."""
    give_session(request, response, signed_in.secret, CONSOLE_ABSOLUTE)


@router.post("/sign-in", status_code=204,
             responses=may_fail(CredentialsWrong, SecondFactorNeeded, SecondFactorWrong,
                                TooManyFailures))  # fmt: skip
async def sign_in(body: SignInBody, request: Request, response: Response) -> None:
    r"""Sign in to the console; the answer sets the session cookie.

    A user store may be asked, by the domain of the address or as `prefix\name`.
    """
    signed_in = await service.sign_in(
        request.app.state.database,
        visitor_of(request),
        request.app.state.post,
        body.email,
        body.password,
        body.to_proof(),
        SessionKind.CONSOLE,
        request.app.state.outside,
    )
    let_in(request, response, signed_in)


@router.post("/link", status_code=204,
             responses=may_fail(CredentialsWrong, SecondFactorNeeded, SecondFactorWrong,
                                TooManyFailures, AccountExists, InvitationVoid))  # fmt: skip
async def sign_in_by_link(body: LinkBody, request: Request, response: Response) -> None:
    """Sign in to the console with a one-time link; an invitation's makes the account first."""
    signed_in = await service.sign_in_by_link(
        request.app.state.database,
        visitor_of(request),
        request.app.state.post,
        body.token,
        body.to_proof(),
    )
    let_in(request, response, signed_in)


@router.get("/ways", response_model=WaysOut)
async def ways_to_sign_in(request: Request) -> WaysOut:
    """Tell what the sign-in page can offer."""
    post = request.app.state.post
    possible = service.passkeys_possible(post.public_url)
    return WaysOut(reset_by_mail=post.works, passkeys=possible)


@router.post("/reset", status_code=204, responses=may_fail(MailOff, TooManyResets))
async def ask_reset(body: ResetBody, request: Request) -> None:
    """Have a link mailed that sets a new password; the answer is the same for any address."""
    state = request.app.state
    await service.ask_reset(state.database, visitor_of(request), state.post, body.email)


@router.post("/reset-password", status_code=204,
             responses=may_fail(CredentialsWrong, TooManyFailures, PasswordWeak))  # fmt: skip
async def reset_password(body: NewPasswordBody, request: Request) -> None:
    """Set your password by a link from a mail; all your sessions end. Then sign in."""
    state = request.app.state
    await service.reset_password(
        state.database, visitor_of(request), state.post, body.token, body.new_password
    )


@router.post("/sign-out", status_code=204, responses=may_fail(Unsigned))
async def sign_out(tx: Tx, caller: Signed, request: Request, response: Response) -> None:
    """End the session of this request."""
    await service.sign_out(tx, caller)
    take_session(request, response)


@router.get("/me", response_model=MeOut, responses=may_fail(Unsigned))
async def who_am_i(tx: Tx, caller: Signed, request: Request) -> MeOut:
    """Tell who you are and what you hold."""
    person = caller.kind is CallerKind.PERSON
    user = await service.get(tx, caller, caller.id) if person else None
    by_cookie = bool(request.scope["state"].get("by_cookie"))
    withheld = await service.withheld(tx, caller)
    return MeOut(
        kind=caller.kind,
        id=caller.id,
        label=caller.label,
        user=UserOut.model_validate(user) if user else None,
        session_id=caller.session_id,
        csrf_token=(
            service.csrf_token(request.app.state.sealer, caller.session_id)
            if by_cookie and caller.session_id
            else None
        ),
        withheld=sorted(home for home in withheld if home is not None),
        installation_withheld=None in withheld,
        grants=_grants(caller),
    )


def session_out(session: Session, caller: Caller) -> SessionOut:
    """Show a session."""
    return SessionOut(
        id=session.id,
        kind=session.kind,
        origin=session.origin,
        agent=session.agent,
        created_at=session.created_at,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
        proven=session.proven,
        current=session.id == caller.session_id,
    )


def _grants(caller: Caller) -> list[GrantOut]:
    return [
        GrantOut(
            organization_id=grant.organization_id,
            application_ids=(
                None if grant.application_ids is None else sorted(grant.application_ids)
            ),
            own=grant.own,
            permissions=sorted(grant.permissions),
        )
        for grant in caller.grants
    ]


@router.get("/preferences", response_model=dict[str, JsonValue],
            responses=may_fail(PersonNeeded))  # fmt: skip
async def get_preferences(tx: Tx, caller: Signed) -> dict[str, JsonValue]:
    """Read what the console remembers for you, by name."""
    return await service.my_preferences(tx, caller)


@router.patch("/preferences", response_model=dict[str, JsonValue],
              responses=may_fail(PersonNeeded, PreferencesTooLarge))  # fmt: skip
async def change_preferences(
    body: dict[Preference, JsonValue], tx: Tx, caller: Signed
) -> dict[str, JsonValue]:
    """Remember things by name (JSON Merge Patch); null forgets one, what is not named stays."""
    return await service.prefer(tx, caller, body)


@router.post("/password", status_code=204,
             responses=may_fail(CredentialsWrong, TooManyFailures, PasswordWeak,
                                PersonNeeded))  # fmt: skip
async def change_password(body: PasswordBody, caller: Signed, request: Request) -> None:
    """Set your password; your other sessions end."""
    await service.change_password(
        request.app.state.database,
        caller,
        visitor_of(request),
        request.app.state.post,
        body.current_password,
        body.new_password,
        request.app.state.outside,
    )


@router.post("/token", response_model=TokensOut,
             responses=may_fail(CredentialsWrong, SecondFactorNeeded, SecondFactorWrong,
                                TooManyFailures))  # fmt: skip
async def make_tokens(body: SignInBody, request: Request, response: Response) -> Tokens:
    """Exchange an e-mail address and password for an access and a refresh token."""
    state = request.app.state
    signed_in = await service.sign_in(
        state.database,
        visitor_of(request),
        state.post,
        body.email,
        body.password,
        body.to_proof(),
        SessionKind.TOKEN,
        state.outside,
    )
    response.headers["Cache-Control"] = "no-store"
    return await service.give_tokens(state.database, state.signing_keys, signed_in)


@router.post("/refresh", response_model=TokensOut, responses=may_fail(CredentialsWrong))
async def refresh_tokens(body: RefreshBody, request: Request, response: Response) -> Tokens:
    """Exchange a refresh token for a fresh pair; used twice, it ends the session."""
    state = request.app.state
    response.headers["Cache-Control"] = "no-store"
    return await service.refresh(
        state.database, state.signing_keys, visitor_of(request), body.refresh_token
    )


@router.get("/sessions", response_model=list[SessionOut], responses=may_fail(PersonNeeded))
async def list_sessions(tx: Tx, caller: Signed) -> list[SessionOut]:
    """List where you are signed in."""
    return [session_out(s, caller) for s in await service.my_sessions(tx, caller)]


@router.post("/sessions/end-others", status_code=204, responses=may_fail(PersonNeeded))
async def end_other_sessions(tx: Tx, caller: Signed) -> None:
    """End all your sessions but this one."""
    await service.end_my_other_sessions(tx, caller)


@router.get("/invitations", response_model=PageOut[ReceivedInvitationOut],
            responses=may_fail(CursorInvalid, FieldInvalid, PersonNeeded))  # fmt: skip
async def list_my_invitations(
    tx: Tx, caller: Signed, asked: Asked
) -> pages.Page[ReceivedInvitation]:
    """List the invitations to you that wait for an answer."""
    return await service.my_invitations(tx, caller, asked)


@router.post("/invitations/{invitation_id}/accept", status_code=204,
             responses=may_fail(InvitationUnknown, InvitationVoid, PersonNeeded))  # fmt: skip
async def accept_invitation(invitation_id: UUID, tx: Tx, caller: Signed) -> None:
    """Join the permission groups that you are invited to."""
    await service.accept(tx, caller, invitation_id)


@router.post("/invitations/{invitation_id}/decline", status_code=204,
             responses=may_fail(InvitationUnknown, PersonNeeded))  # fmt: skip
async def decline_invitation(invitation_id: UUID, tx: Tx, caller: Signed) -> None:
    """Refuse an invitation."""
    await service.decline(tx, caller, invitation_id)


@router.delete("/sessions/{session_id}", status_code=204,
               responses=may_fail(SessionUnknown, PersonNeeded))  # fmt: skip
async def end_session(session_id: UUID, tx: Tx, caller: Signed) -> None:
    """End one of your sessions."""
    await service.end_my_session(tx, caller, session_id)
