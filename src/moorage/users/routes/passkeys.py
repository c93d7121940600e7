"""HTTP of passkeys."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import JsonValue

from moorage.kit.http import Signed, Tx, may_fail

from .. import service
from ..errors import (
    CredentialsWrong,
    PasskeyRefused,
    PasskeyUnknown,
    PersonNeeded,
    SecondFactorRequired,
    TooManyFailures,
    TooManyPasskeys,
)
from ..model import Passkey
from ..schemas import ConfirmBody, NewPasskeyBody, PasskeyOut, PasskeyPatch, PasskeySignInBody
from .auth import let_in, visitor_of

router = APIRouter(prefix="/api/v1/auth/passkeys", tags=["auth"])


@router.post("/challenge", response_model=dict[str, JsonValue])
async def begin_passkey_sign_in(request: Request) -> dict[str, JsonValue]:
    """Give what `navigator.credentials.get` takes as `publicKey`, to sign in without a password."""
    return await service.begin_passkey_sign_in(request.app.state.database, request.app.state.post)


@router.post("/sign-in", status_code=204, responses=may_fail(CredentialsWrong, TooManyFailures))
async def sign_in_by_passkey(body: PasskeySignInBody, request: Request, response: Response) -> None:
    """Sign in to the console with a passkey; the answer sets the session cookie."""
    state = request.app.state
    credential = body.credential.model_dump(by_alias=True)
    visitor = visitor_of(request)
    let_in(
        request,
        response,
        await service.sign_in_by_passkey(state.database, visitor, state.post, credential),
    )


@router.post("/options", response_model=dict[str, JsonValue],
             responses=may_fail(CredentialsWrong, PersonNeeded, TooManyFailures,
                                TooManyPasskeys))  # fmt: skip
async def begin_passkey(
    body: ConfirmBody, caller: Signed, request: Request
) -> dict[str, JsonValue]:
    """Give what `navigator.credentials.create` takes as `publicKey`, to add a passkey."""
    state = request.app.state
    return await service.begin_passkey(
        state.database, caller, visitor_of(request), state.post, body.password
    )


@router.post("", status_code=201, response_model=PasskeyOut,
             responses=may_fail(PasskeyRefused, PersonNeeded, TooManyPasskeys))  # fmt: skip
async def add_passkey(
    body: NewPasskeyBody, caller: Signed, request: Request, response: Response
) -> Passkey:
    """Add a passkey that the browser has made."""
    state = request.app.state
    credential = body.credential.model_dump(by_alias=True)
    added = await service.add_passkey(state.database, caller, state.post, body.name, credential)
    response.headers["Location"] = f"/api/v1/auth/passkeys/{added.id}"
    return added


@router.patch("/{passkey_id}", response_model=PasskeyOut,
              responses=may_fail(PasskeyUnknown, PersonNeeded))  # fmt: skip
async def rename_passkey(passkey_id: UUID, body: PasskeyPatch, tx: Tx, caller: Signed) -> Passkey:
    """Give a passkey of yours another name."""
    return await service.rename_passkey(tx, caller, passkey_id, body.name)


@router.delete("/{passkey_id}", status_code=204,
               responses=may_fail(PasskeyUnknown, PersonNeeded, SecondFactorRequired))  # fmt: skip
async def remove_passkey(passkey_id: UUID, tx: Tx, caller: Signed, request: Request) -> None:
    """Remove a passkey of yours."""
    await service.remove_passkey(tx, caller, request.app.state.post, passkey_id)
