"""People allow clients things in their name, and take it back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error

from moorage import organizations, users
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.secrets import digest, make_token
from moorage.organizations import Permission
from moorage.users import PersonNeeded, SigningKeys

from ..errors import AuthorizationUnknown, ClientUnknown, DeviceCodeUnknown, RequestInvalid
from ..facts import AccessAllowed, AccessDenied, AccessEnded
from ..model import CODE, USER_CODE_LETTERS, Allowed, Asked, Client, Code, DeviceCode, Form
from ..store import authorizations
from ..store import clients as client_store
from .clients import leads_back
from .protocol.case import Case, scopes_of
from .protocol.endpoints import Request, Server
from .recognise import narrowed

_CODE_PREFIX = "mcc_"


async def ask(tx: Tx, caller: Caller, keys: SigningKeys, issuer: str, query: str) -> Asked:
    """Tell what a client asks a person to allow, by the query that it sent the browser with.

    A mistake of a client that is known, and leads back to where it may, is told to the client.

    Raises:
        PersonNeeded: a program cannot allow anything.
        ClientUnknown, RequestInvalid: there is nobody to tell.
    """
    case, redirect_uri, failed = await _read(tx, caller, keys, issuer, query)
    client = _client_of(case)
    if failed is not None:
        return Asked(None, redirect_to=_back(case, redirect_uri, failed))
    scopes = scopes_of(case.form.fields.get("scope")) or client.scopes
    asked = Asked(client, scopes=_lent(caller, client, scopes), redirect_host=_host(redirect_uri))
    return await _named(tx, caller, client, asked)


async def answer(
    tx: Tx,
    caller: Caller,
    keys: SigningKeys,
    issuer: str,
    query: str,
    *,
    allow: bool,
) -> str:
    """Take a person's answer; gives where the browser is to go.

    Args:
        tx: the transaction.
        caller: the person.
        keys: sign access tokens.
        issuer: the installation's address.
        query: as the client sent the browser with.
        allow: what they said.

    Raises:
        As `ask`.
    """
    case, redirect_uri, failed = await _read(tx, caller, keys, issuer, query)
    client = _client_of(case)
    if failed is None and not allow:
        tx.announce(AccessDenied(caller.id, client.organization_id, after={"client": client.id}))
        failed = {"error": "access_denied", "error_description": "The person refused."}
    if failed is not None:
        return _back(case, redirect_uri, failed)
    secret = make_token(_CODE_PREFIX, 32)
    scopes = scopes_of(case.form.fields.get("scope")) or client.scopes
    await authorizations.add_code(
        tx,
        Code(
            digest(secret),
            client.id,
            caller.id,
            redirect_uri,
            case.form.fields["code_challenge"],
            scopes,
            case.resources(),
            await users.is_proven(tx, caller),
            None,
            tx.now + CODE,
        ),
    )
    _tell_allowed(tx, caller, client, scopes)
    return _back(case, redirect_uri, {"code": secret})


async def ask_for_device(tx: Tx, caller: Caller, user_code: str) -> Asked:
    """Tell what a device asks a person to allow. Raises PersonNeeded, DeviceCodeUnknown."""
    waiting, client = await _waiting(tx, caller, user_code)
    scopes = _lent(caller, client, waiting.scopes)
    return await _named(tx, caller, client, Asked(client, scopes=scopes, origin=waiting.origin))


async def answer_device(tx: Tx, caller: Caller, user_code: str, *, allow: bool) -> None:
    """Take a person's answer to a device. Raises PersonNeeded, DeviceCodeUnknown."""
    waiting, client = await _waiting(tx, caller, user_code)
    proven = await users.is_proven(tx, caller)
    await authorizations.answer_device(tx, waiting.digest, caller.id, allowed=allow, proven=proven)
    if allow:
        _tell_allowed(tx, caller, client, waiting.scopes)
    else:
        tx.announce(AccessDenied(caller.id, client.organization_id, after={"client": client.id}))


async def allowed_by(
    tx: Tx, caller: Caller, asked: pages.PageRequest, client_id: UUID | None
) -> pages.Page[Allowed]:
    """List what clients were allowed: in the caller's name, and of the clients they administer."""
    own = None if caller.is_program else caller.id
    seen = caller.reach(Permission.READ_USERS)
    return await authorizations.list_allowed(tx, seen, own, asked, client_id)


async def end(tx: Tx, caller: Caller, authorization_id: UUID) -> None:
    """End what a client was allowed; its tokens are refused from now on.

    Raises:
        AuthorizationUnknown, PermissionMissing.
    """
    found = await authorizations.find(tx, authorization_id)
    client = await client_store.find(tx, found.client_id) if found else None
    if found is None or client is None:
        raise AuthorizationUnknown(id=authorization_id)
    if caller.is_program or found.user_id != caller.id:
        if not caller.may(Permission.READ_USERS, client.organization_id):
            raise AuthorizationUnknown(id=authorization_id)
        organizations.require(caller, Permission.MANAGE_USERS, client.organization_id)
    await authorizations.remove(tx, authorization_id)
    before = {"client": client.id, "scopes": found.scopes, "reason": "taken back"}
    subject_id = found.user_id or client.id
    tx.announce(AccessEnded(subject_id, client.organization_id, before=before))


# --- Inside -----------------------------------------------------------------


async def _read(
    tx: Tx, caller: Caller, keys: SigningKeys, issuer: str, query: str
) -> tuple[Case, str, dict[str, str] | None]:
    """Read what a client asks; gives where it leads back to, and what is to be told to it there."""
    _require_person(caller)
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    plain = [(name, value) for name, value in pairs if name != "resource"]
    given = dict(plain)
    if len(given) < len(plain):
        raise RequestInvalid(reason="it says something twice.")
    try:
        client = await _theirs(tx, caller, UUID(given.get("client_id", "")))
    except ValueError:
        raise RequestInvalid(reason="it does not say which program it is.") from None
    redirect_uri = given.get("redirect_uri")
    if redirect_uri is None and len(client.redirect_uris) == 1:
        redirect_uri = client.redirect_uris[0]
    if redirect_uri is None or not leads_back(client.redirect_uris, redirect_uri):
        raise RequestInvalid(reason="it would lead you to an address that it has not registered.")
    given["redirect_uri"] = redirect_uri
    resources = tuple(value for name, value in pairs if name == "resource")
    case = Case(issuer, keys, tx.now, Form(given, resources), client)
    try:
        if given.get("response_type") != "code":
            error = "unsupported_response_type" if "response_type" in given else "invalid_request"
            return case, redirect_uri, {"error": error}
        Server(case).get_consent_grant(Request(issuer, case.form, "GET"), caller.id)
        case.resources()
    except OAuth2Error as failed:
        return case, redirect_uri, dict(failed.get_body())
    return case, redirect_uri, None


async def _theirs(tx: Tx, caller: Caller, client_id: UUID) -> Client:
    """Read a client that may ask this person, being of their organisation. Raises ClientUnknown."""
    found = await client_store.find(tx, client_id)
    if found is None or not (
        found.organization_id is None or caller.belongs_to(found.organization_id)
    ):
        raise ClientUnknown(id=client_id)
    return found


async def _waiting(tx: Tx, caller: Caller, user_code: str) -> tuple[DeviceCode, Client]:
    _require_person(caller)
    letters = [c for c in user_code.upper() if c in USER_CODE_LETTERS]
    written = "".join(letters[:4]) + "-" + "".join(letters[4:])
    found = await authorizations.find_device_code(tx, user_digest=digest(written))
    if found is None or found.expires_at <= tx.now or found.user_id is not None:
        raise DeviceCodeUnknown
    try:
        return found, await _theirs(tx, caller, found.client_id)
    except ClientUnknown as foreign:
        raise DeviceCodeUnknown from foreign


def _require_person(caller: Caller) -> None:
    # A token of theirs could otherwise make others that outlive it.
    if caller.is_program or caller.session_id is None:
        raise PersonNeeded


def _client_of(case: Case) -> Client:
    if case.client is None:
        raise RequestInvalid(reason="it does not say which program it is.")
    return case.client


def _lent(caller: Caller, client: Client, scopes: tuple[Permission, ...]) -> tuple[Permission, ...]:
    """Give what of some scopes the person holds where the client acts."""
    held = frozenset[str]().union(
        *(g.permissions for g in narrowed(caller.grants, client.organization_id, scopes))
    )
    return tuple(s for s in scopes if s.value in held)


async def _named(tx: Tx, caller: Caller, client: Client, asked: Asked) -> Asked:
    if client.organization_id is None:
        return asked
    home = await organizations.get(tx, caller, client.organization_id)
    return replace(asked, organization_name=home.name)


def _tell_allowed(tx: Tx, caller: Caller, client: Client, scopes: tuple[Permission, ...]) -> None:
    after = {"client": client.id, "scopes": scopes, "origin": caller.origin}
    tx.announce(AccessAllowed(caller.id, client.organization_id, after=after))


def _back(case: Case, redirect_uri: str, told: dict[str, Any]) -> str:
    """Write where the browser goes, with who says so (RFC 9207)."""
    state = case.form.fields.get("state")
    told = {k: v for k, v in told.items() if k != "state"}
    told |= ({"state": state} if state is not None else {}) | {"iss": case.issuer}
    led: str = add_params_to_uri(redirect_uri, list(told.items()))
    return led


def _host(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return parts.hostname or parts.scheme
