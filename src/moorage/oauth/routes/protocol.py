"""HTTP of the protocol: requests are forms, errors are RFC 6749's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from moorage import users
from moorage.kit import client_certificates, db
from moorage.kit.http import Tx
from moorage.users import SigningKeys, Visitor

from .. import service
from ..model import Answer, Form
from ..schemas import DeviceOut, IntrospectionOut, KeysOut, MetadataOut, RegisteredOut, TokenOut

router = APIRouter(prefix="/api/v1/oauth", tags=["oauth"])
# What programs read before they are known.
well_known = APIRouter(tags=["oauth"])

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MOST_FIELDS = 50
_NO_FORM = Answer(
    400,
    {
        "error": "invalid_request",
        "error_description": f"The body must be a form ({FORM}) that says nothing twice.",
    },
)
_Endpoint = Callable[[db.Tx, SigningKeys, str, Form], Awaitable[Answer]]


def _form_of(*required: str, **more: str) -> dict[str, Any]:
    """Describe a form for OpenAPI."""
    fields = {name: {"type": "string"} for name in (*required, *more)}
    proof = ("client_id", "client_secret", "client_assertion_type", "client_assertion")
    fields |= {name: {"type": "string"} for name in proof}
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the protocol's own errors for OpenAPI."""
    schema = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
        "required": ["error"],
    }
    return {
        status: {
            "description": "An error of RFC 6749, section 5.2.",
            "content": {"application/json": {"schema": schema}},
        }
        for status in statuses
    }


async def _form(request: Request) -> Form | None:
    """Read the form; None where it is none, or says something twice (RFC 6749, section 3.2)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        return None
    try:
        body = (await request.body()).decode()
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError):
        return None
    plain = [(name, value) for name, value in pairs if name != "resource"]
    # What came without a value counts as not sent (section 3.1).
    fields = {name: value for name, value in plain if value}
    if len({name for name, _ in plain}) < len(plain):
        return None
    resources = tuple(value for name, value in pairs if name == "resource")
    origin = request.client.host if request.client else None
    held = client_certificates.shown(request.scope)
    certificate = service.shown_certificate(held, request.app.state.vouch) if held else None
    return Form(fields, resources, request.headers.get("authorization"), origin, certificate)


async def _ask(endpoint: _Endpoint, tx: db.Tx, request: Request) -> JSONResponse:
    form = await _form(request)
    if form is None:
        return _written(_NO_FORM)
    state = request.app.state
    return _written(await endpoint(tx, state.signing_keys, state.public_url, form))


def _written(answer: Answer) -> JSONResponse:
    headers: Mapping[str, str] = {**NO_STORE, **answer.headers}
    return JSONResponse(dict(answer.body), answer.status, dict(headers))


@router.post("/token", response_model=TokenOut, responses=_errors(400, 401),
             openapi_extra=_form_of("grant_type", code="", redirect_uri="", code_verifier="",
                                    refresh_token="", device_code="", assertion="",
                                    username="", password="",
                                    scope="", resource=""))  # fmt: skip
async def get_token(request: Request) -> JSONResponse:
    """Get a token: by a code, a refresh token, a device code, an assertion, or as oneself.

    By a person's password (`grant_type=password`) only where the operator has switched it on.
    """
    form, state = await _form(request), request.app.state
    if form is None:
        return _written(_NO_FORM)
    look = _look(state) if state.settings.oauth.password_grant else None
    keys, issuer = state.signing_keys, state.public_url
    return _written(await service.token(state.database, keys, issuer, form, look))


def _look(state: Any) -> service.Look:
    async def look(visitor: Visitor, name: str, password: str) -> UUID:
        return await users.prove_password(
            state.database, visitor, state.post, name, password, state.outside
        )

    return look


@router.post("/revoke", response_model=dict[str, JsonValue], responses=_errors(400, 401),
             openapi_extra=_form_of("token", token_type_hint=""))  # fmt: skip
async def revoke_token(tx: Tx, request: Request) -> JSONResponse:
    """End what a token belongs to, with every other token of it (RFC 7009)."""
    return await _ask(service.revoke, tx, request)


@router.post("/introspect", response_model=IntrospectionOut, responses=_errors(400, 401),
             openapi_extra=_form_of("token", token_type_hint=""))  # fmt: skip
async def introspect_token(tx: Tx, request: Request) -> JSONResponse:
    """Tell a client about a token of its organization (RFC 7662)."""
    return await _ask(service.introspect, tx, request)


@router.post("/device-authorization", response_model=DeviceOut, responses=_errors(400, 401),
             openapi_extra=_form_of("client_id", scope="", resource=""))  # fmt: skip
async def start_device(tx: Tx, request: Request) -> JSONResponse:
    """Give a device without a browser a code to show to a person (RFC 8628)."""
    return await _ask(service.start_device, tx, request)


@router.post("/register", status_code=201, response_model=RegisteredOut,
             responses=_errors(400, 401))  # fmt: skip
async def register_client(body: dict[str, JsonValue], tx: Tx, request: Request) -> JSONResponse:
    """Register a program as a client, with a registration token as Bearer (RFC 7591)."""
    token, origin = _shown(request)
    return _written(await service.register(tx, request.app.state.public_url, token, body, origin))


@router.get("/register/{client_id}", response_model=RegisteredOut,
            responses=_errors(401))  # fmt: skip
async def read_registration(client_id: str, tx: Tx, request: Request) -> JSONResponse:
    """Tell a program what is registered of it, by its registration access token (RFC 7592)."""
    token, _ = _shown(request)
    found = await service.read_own(tx, request.app.state.public_url, token, client_id)
    return _written(found)


@router.put("/register/{client_id}", response_model=RegisteredOut,
            responses=_errors(400, 401))  # fmt: skip
async def change_registration(
    client_id: str, body: dict[str, JsonValue], tx: Tx, request: Request
) -> JSONResponse:
    """Put what a program tells in place of what is registered of it (RFC 7592)."""
    token, origin = _shown(request)
    issuer = request.app.state.public_url
    return _written(await service.change_own(tx, issuer, token, client_id, body, origin))


@router.delete("/register/{client_id}", status_code=204, responses=_errors(401))
async def remove_registration(client_id: str, tx: Tx, request: Request) -> Response:
    """Remove a program that registered itself, with everything it was allowed (RFC 7592)."""
    token, origin = _shown(request)
    answer = await service.remove_own(tx, token, client_id, origin)
    return Response(status_code=204, headers=NO_STORE) if answer.status == 204 else _written(answer)


def _shown(request: Request) -> tuple[str | None, str | None]:
    """Give the Bearer token of a request, and the address it comes from."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    token = secret.strip() if scheme.lower() == "bearer" else None
    return token or None, request.client.host if request.client else None


@well_known.get("/.well-known/oauth-authorization-server", response_model=MetadataOut)
async def publish_oauth_metadata(request: Request) -> JSONResponse:
    """Tell programs how to find everything (RFC 8414)."""
    state = request.app.state
    passwords = state.settings.oauth.password_grant
    by_certificate = state.settings.api.client_certificates
    told = service.metadata(state.public_url, passwords=passwords, by_certificate=by_certificate)
    return JSONResponse(told)


@well_known.get("/.well-known/jwks.json", response_model=KeysOut)
async def publish_signing_keys(tx: Tx) -> JSONResponse:
    """List the public keys that access tokens are signed with (RFC 7517)."""
    keys = [dict(key) for key in await users.key_set(tx)]
    return JSONResponse({"keys": keys}, headers={"Cache-Control": "max-age=60"})
