"""HTTP of SAML: what providers and the browsers they send come to.

Browsers come by forms of other sites, so what fails becomes a word on the sign-in page.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from moorage.kit.browsers import asker_of, give_session
from moorage.kit.errors import MoorageError
from moorage.kit.http import Tx, may_fail
from moorage.users import CONSOLE_ABSOLUTE, Visitor

from .. import service
from ..errors import AttemptUnknown, LogoutRequestWrong, ProviderUnknown
from .browsers import LAST, failed_at, sent

MOST_FIELDS = 10
CALLBACK = "/api/v1/auth/single-sign-on/callback"
router = APIRouter(prefix="/api/v1/auth/saml/{provider_id}", tags=["auth"])


def _form(*names: str) -> dict[str, Any]:
    """Describe a form with a message in it."""
    fields = {name: {"type": "string"} for name in (*names, "RelayState")}
    content = {"schema": {"type": "object", "properties": fields}}
    return {
        "requestBody": {
            "required": True, "content": {"application/x-www-form-urlencoded": content}
        }
    }  # fmt: skip


def _query(*names: str) -> dict[str, Any]:
    """Describe an address with a message in it."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
            for name in names
        ]
    }


async def _sent_form(request: Request) -> dict[str, str] | None:
    """Read a form; None where it is none, or says something twice."""
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"), keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
        )  # fmt: skip
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


@router.get("/metadata", response_class=Response,
            responses={**may_fail(ProviderUnknown),
                       200: {"content": {"application/samlmetadata+xml": {}}}})  # fmt: skip
async def show_saml_metadata(provider_id: UUID, tx: Tx, request: Request) -> Response:
    """Say what we are to an identity provider: our name, addresses and certificates."""
    shown = await service.our_metadata(tx, request.app.state.post, provider_id)
    return Response(shown, media_type="application/samlmetadata+xml")


@router.post("/answer", status_code=303, response_class=RedirectResponse,
             openapi_extra=_form("SAMLResponse"))  # fmt: skip
async def take_saml_answer(provider_id: UUID, request: Request) -> Response:
    """Take a provider's answer about somebody, and send the browser on to fetch it."""
    app = request.app.state
    form = await _sent_form(request)
    if form is None or "SAMLResponse" not in form:
        return failed_at(AttemptUnknown())
    try:
        answered = await service.receive(
            app.database, app.issuers, app.post, Visitor(*asker_of(request)), provider_id,
            message=form["SAMLResponse"], relay=form.get("RelayState") or None,
        )  # fmt: skip
    except MoorageError as failed:
        return failed_at(failed)
    if answered.arrival is None:
        return RedirectResponse(f"{CALLBACK}?state={quote(answered.state or '', safe='')}", 303)
    answer = RedirectResponse(answered.arrival.to, 303)
    give_session(request, answer, answered.arrival.signed_in.secret, CONSOLE_ABSOLUTE)
    return answer


@router.get("/logout", status_code=303, response_class=RedirectResponse,
            openapi_extra=_query("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg",
                                 "Signature"))  # fmt: skip
async def sign_out_by_saml_redirect(provider_id: UUID, request: Request) -> Response:
    """End the sessions that a provider's request names, and tell it so."""
    if "SAMLResponse" in request.query_params:
        # An answer to what we asked: nothing hangs on it, as everything here has ended before.
        return RedirectResponse("/sign-in", 303)
    query = request.scope["query_string"].decode("ascii", "replace")
    return await _signed_out(request, provider_id, query=query)


@router.post("/logout", status_code=303, response_class=RedirectResponse,
             openapi_extra=_form("SAMLRequest", "SAMLResponse"))  # fmt: skip
async def sign_out_by_saml_form(provider_id: UUID, request: Request) -> Response:
    """End the sessions that a provider's request names, and tell it so."""
    form = await _sent_form(request)
    if form is not None and "SAMLResponse" in form:
        return RedirectResponse("/sign-in", 303)
    if form is None or "SAMLRequest" not in form:
        return failed_at(LogoutRequestWrong(reason="there is none."))
    said = form["SAMLRequest"], form.get("RelayState")
    return await _signed_out(request, provider_id, form=said)


async def _signed_out(request: Request, provider_id: UUID, **said: Any) -> Response:
    app = request.app.state
    try:
        sending = await service.end_by_request(
            app.database, app.issuers, app.post, provider_id, **said
        )
    except MoorageError as failed:
        return failed_at(failed)
    answer = RedirectResponse("/sign-in", 303) if sending is None else sent(sending)
    answer.headers.update(LAST)
    return answer
