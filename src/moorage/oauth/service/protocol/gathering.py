"""Reads what a request of the protocol may be about, and holds what it may change."""

from __future__ import annotations

from uuid import UUID

from authlib.oauth2.rfc6749.util import extract_basic_authorization

from moorage import users
from moorage.kit.db import Tx
from moorage.kit.secrets import digest
from moorage.users import CredentialsWrong, SigningKeys

from ...model import REFRESH_PREFIX, Authorization, Form, GrantType
from ...store import authorizations
from ...store import clients as client_store
from .. import certificates
from ..recognise import narrowed
from . import assertions
from .case import Case, Found

TOKEN_PATH = "/api/v1/oauth/token"  # noqa: S105


async def for_client(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Case:
    """Read which client a request names."""
    case = Case(issuer, keys, tx.now, form)
    client_id = _named(form)
    if client_id is None:
        return case
    # Held, so that whoever takes it away waits for the token, and then takes that too.
    case.client = await client_store.find(tx, client_id, hold=True)
    if case.client is not None:
        case.secret = await client_store.secret_of(tx, client_id)
        if form.fields.get("client_assertion_type") == assertions.TYPE:
            case.proved = await _holds(tx, case, "client_assertion")
        case.certified = await certificates.proves(tx, case.client, form.certificate)
    return case


async def hold(tx: Tx, case: Case) -> None:
    """Read the client again, once what took long is done, and hold it; and its person."""
    case.now = tx.now
    if (before := case.client) is not None:
        case.client = await client_store.find(tx, before.id, hold=True)
        # What has proved it may have been replaced meanwhile.
        case.secret = await client_store.secret_of(tx, before.id) if case.client else None
        case.proved = case.proved and case.client is not None and case.client.keys == before.keys
        case.certified = case.client is not None and await certificates.proves(
            tx, case.client, case.form.certificate
        )
    if case.client is None or case.named is None:
        case.named = None
        return
    try:
        _, held = await users.held_by(tx, case.named, proven=False)
    except CredentialsWrong:
        held = ()
    if not narrowed(held, case.client.organization_id, case.client.scopes):
        case.named = None


def _named(form: Form) -> UUID | None:
    """Read whom a request says to be from: by the header, the form, or what it has signed."""
    given = form.fields
    named = given.get("client_id")
    if form.authorization is not None:
        named, _ = extract_basic_authorization({"Authorization": form.authorization})
    elif named is None and (signed := given.get("client_assertion", given.get("assertion"))):
        return assertions.issuer_of(signed)
    try:
        return UUID(named or "")
    except ValueError:
        return None


async def _holds(tx: Tx, case: Case, field: str) -> bool:
    """Tell whether what the client signed holds; it does so once."""
    signed = case.form.fields.get(field)
    if signed is None or case.client is None:
        return False
    audiences = (case.issuer, f"{case.issuer}{TOKEN_PATH}")
    found = assertions.holds(signed, case.client, audiences, case.now)
    return found is not None and await authorizations.spend_assertion(
        tx, found.digest, found.expires_at
    )


async def for_token(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Case:
    """Read what a request for a token may be about."""
    case = await for_client(tx, keys, issuer, form)
    given = form.fields
    user_id = None
    match given.get("grant_type"):
        case GrantType.AUTHORIZATION_CODE if "code" in given:
            case.code = await authorizations.find_code(tx, digest(given["code"]))
            user_id = case.code.user_id if case.code else None
        case GrantType.REFRESH_TOKEN if "refresh_token" in given:
            shown = digest(given["refresh_token"])
            case.authorization = await authorizations.find_by_refresh(tx, shown, lock=True)
            if case.authorization is None:
                case.spent = await authorizations.find_by_spent(tx, shown)
            user_id = case.authorization.user_id if case.authorization else None
        case GrantType.DEVICE_CODE if "device_code" in given:
            shown = digest(given["device_code"])
            case.device = await authorizations.find_device_code(tx, digest=shown)
            user_id = case.device.user_id if case.device else None
        case GrantType.JWT_BEARER:
            case.asserted = await _holds(tx, case, "assertion")
    case.user_open = user_id is not None and await _is_open(tx, user_id)
    return case


async def for_known_token(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Case:
    """Read what a token that is shown belongs to."""
    case = await for_client(tx, keys, issuer, form)
    token = form.fields.get("token", "")
    claims = None
    if token.startswith(REFRESH_PREFIX):
        found = await authorizations.find_by_refresh(tx, digest(token), lock=False)
    else:
        found, claims = await _of_access_token(tx, keys, token)
    client = await client_store.find(tx, found.client_id) if found else None
    if found is not None and client is not None:
        is_open = found.user_id is None or await _is_open(tx, found.user_id)
        case.shown = Found(found, client, is_open, claims)
    return case


async def _of_access_token(
    tx: Tx, keys: SigningKeys, token: str
) -> tuple[Authorization | None, dict[str, object] | None]:
    try:
        claims = await users.read_token(tx, keys, token)
        authorization_id = UUID(str(claims["sid"])) if "client_id" in claims else None
    except (CredentialsWrong, KeyError, ValueError):
        return None, None
    if authorization_id is None:
        return None, None
    return await authorizations.find(tx, authorization_id), dict(claims)


async def _is_open(tx: Tx, user_id: UUID) -> bool:
    try:
        await users.held_by(tx, user_id, proven=True)
    except CredentialsWrong:
        return False
    return True
