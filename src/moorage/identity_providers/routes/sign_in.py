"""HTTP of signing in by an identity provider, and out.

Browsers come here by links and redirects, so what fails becomes a word on the sign-in page.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from moorage.kit.browsers import (
    asker_of,
    cookie_of,
    give_cookie,
    give_session,
    take_cookie,
    take_session,
)
from moorage.kit.errors import MoorageError
from moorage.kit.http import Signed, Tx, Unsigned, may_fail
from moorage.users import CONSOLE_ABSOLUTE, Visitor

from .. import service
from ..errors import LogoutTokenWrong, ProviderUnreachable
from ..model import ON_THE_WAY, Offer
from ..schemas import OfferOut, SignedOutOut
from ..service import Sending
from .browsers import LAST, failed_at, sent

BASE = "/api/v1/auth/single-sign-on"
# What only the browser that set out for a provider has.
COOKIE = "moorage_sign_in"
router = APIRouter(prefix=BASE, tags=["auth"])
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["logout_token"],
                    "properties": {"logout_token": {"type": "string"}},
                }
            }
        },
    }
}


@router.get("/offers", response_model=list[OfferOut])
async def list_sign_in_offers(tx: Tx) -> list[Offer]:
    """List the identity providers that the sign-in page shows."""
    return await service.offers(tx)


@router.get("/begin", status_code=303, response_class=RedirectResponse)
async def begin_single_sign_on(
    request: Request,
    provider: Annotated[str, Query(max_length=100, description="Id of the identity provider.")],
    to: Annotated[
        str | None, Query(max_length=500, description="A path of the console to go on to.")
    ] = None,
) -> Response:
    """Send the browser to an identity provider, which sends it back."""
    state = request.app.state
    try:
        provider_id = UUID(provider)
    except ValueError:
        provider_id = UUID(int=0)
    try:
        gone = await service.set_out(state.database, state.issuers, state.post, provider_id, to)
    except MoorageError as failed:
        return failed_at(failed)
    answer = sent(Sending(gone.address, gone.form))
    give_cookie(request, answer, COOKIE, gone.browser, ON_THE_WAY)
    return answer


@router.get("/callback", status_code=303, response_class=RedirectResponse)
async def finish_single_sign_on(
    request: Request,
    state: Annotated[str | None, Query(max_length=500)] = None,
    code: Annotated[str | None, Query(max_length=4_000)] = None,
    iss: Annotated[str | None, Query(max_length=1_000)] = None,
    error: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Let somebody in who comes back from an identity provider; the answer sets the cookie."""
    app = request.app.state
    try:
        arrival = await service.come_back(
            app.database, app.issuers, app.post, Visitor(*asker_of(request)),
            state=state, browser=cookie_of(request, COOKIE), code=code, issuer=iss, error=error,
        )  # fmt: skip
    except MoorageError as failed:
        return failed_at(failed)
    answer = RedirectResponse(arrival.to, 303)
    give_session(request, answer, arrival.signed_in.secret, CONSOLE_ABSOLUTE)
    take_cookie(request, answer, COOKIE)
    return answer


@router.post("/sign-out", response_model=SignedOutOut, responses=may_fail(Unsigned))
async def sign_out_everywhere(caller: Signed, request: Request, response: Response) -> SignedOutOut:
    """End the session of this request, and say where to sign out at the identity provider."""
    state = request.app.state
    address = await service.sign_out(state.database, caller, state.issuers, state.post)
    take_session(request, response)
    return SignedOutOut(address=address)


@router.post("/back-channel-logout", response_class=Response, openapi_extra=_FORM,
             responses=may_fail(LogoutTokenWrong, ProviderUnreachable))  # fmt: skip
async def end_sessions_by_provider(request: Request) -> Response:
    """End the sessions that an identity provider's logout token names."""
    try:
        form = parse_qs((await request.body()).decode("ascii"), max_num_fields=10)
    except ValueError as wrong:
        raise LogoutTokenWrong(reason="the body is no form.") from wrong
    token = form.get("logout_token", [""])[0]
    await service.end_by_provider(request.app.state.database, request.app.state.issuers, token)
    return Response(headers={"Cache-Control": "no-store", **LAST})
