"""HTTP of what people allow programs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import PermissionMissing
from moorage.users import PersonNeeded

from .. import service
from ..errors import AuthorizationUnknown, ClientUnknown, DeviceCodeUnknown, RequestInvalid
from ..model import ACCESS_TOKEN, REFRESH_ABSOLUTE, REFRESH_IDLE, Allowed, GrantType
from ..model import Asked as Wish
from ..schemas import (
    AllowedOut,
    AnswerBody,
    AskBody,
    AskedOut,
    DeviceAnswerBody,
    DeviceAskBody,
    LedOut,
)

router = APIRouter(prefix="/api/v1/oauth", tags=["oauth"])


@router.get("/authorizations", response_model=PageOut[AllowedOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_authorizations(
    tx: Tx, caller: Signed, asked: Asked,
    client_id: Annotated[UUID | None, Query(alias="clientId")] = None,
) -> pages.Page[Allowed]:  # fmt: skip
    """List what programs were allowed: in your name, and those that you administer."""
    return await service.allowed_by(tx, caller, asked, client_id)


@router.post("/authorizations/ask", response_model=AskedOut,
             responses=may_fail(PersonNeeded, ClientUnknown, RequestInvalid))  # fmt: skip
async def ask_authorization(body: AskBody, tx: Tx, caller: Signed, request: Request) -> AskedOut:
    """Tell what a program asks you to allow, before you answer."""
    state = request.app.state
    wish = await service.ask(tx, caller, state.signing_keys, state.public_url, body.query)
    return _shown(wish)


@router.post("/authorizations/answer", response_model=LedOut,
             responses=may_fail(PersonNeeded, ClientUnknown, RequestInvalid))  # fmt: skip
async def answer_authorization(
    body: AnswerBody, tx: Tx, caller: Signed, request: Request
) -> LedOut:
    """Allow a program something in your name, or refuse; gives where the browser is to go."""
    state = request.app.state
    led = await service.answer(
        tx, caller, state.signing_keys, state.public_url, body.query, allow=body.allow
    )
    return LedOut(redirect_to=led)


@router.delete("/authorizations/{authorization_id}", status_code=204,
               responses=may_fail(AuthorizationUnknown, PermissionMissing))  # fmt: skip
async def end_authorization(authorization_id: UUID, tx: Tx, caller: Signed) -> None:
    """Take back what a program was allowed; its tokens are refused from now on."""
    await service.end(tx, caller, authorization_id)


@router.post("/device-codes/ask", response_model=AskedOut,
             responses=may_fail(PersonNeeded, DeviceCodeUnknown))  # fmt: skip
async def ask_device_code(body: DeviceAskBody, tx: Tx, caller: Signed) -> AskedOut:
    """Tell what the device that shows this code asks you to allow."""
    return _shown(await service.ask_for_device(tx, caller, body.user_code))


@router.post("/device-codes/answer", status_code=204,
             responses=may_fail(PersonNeeded, DeviceCodeUnknown))  # fmt: skip
async def answer_device_code(body: DeviceAnswerBody, tx: Tx, caller: Signed) -> None:
    """Allow a device something in your name, or refuse."""
    await service.answer_device(tx, caller, body.user_code, allow=body.allow)


def _shown(wish: Wish) -> AskedOut:
    client = wish.client
    goes_on = client is not None and GrantType.REFRESH_TOKEN in client.grant_types
    return AskedOut(
        client_id=client.id if client else None,
        client_name=client.name if client else None,
        website=client.website if client else None,
        organization_id=client.organization_id if client else None,
        organization_name=wish.organization_name,
        redirect_host=wish.redirect_host,
        origin=wish.origin,
        scopes=list(wish.scopes),
        registered_itself=bool(client and client.registration_token_id),
        holds=REFRESH_ABSOLUTE if goes_on else ACCESS_TOKEN,
        rests=REFRESH_IDLE if goes_on else None,
        redirect_to=wish.redirect_to,
    )
