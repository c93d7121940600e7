"""Programs that register themselves (RFC 7591), and what is published for them (RFC 8414)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc7591 import ClientMetadataClaims
from joserfc.errors import JoseError

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.jose import ASYMMETRIC
from moorage.kit.secrets import digest
from moorage.kit.secrets import make_token as make_secret
from moorage.organizations import Permission

from ..errors import ClientNameTaken, RegistrationTokenUnknown
from ..facts import (
    AccessEnded,
    ClientMade,
    RegistrationTokenMade,
    RegistrationTokenRemoved,
)
from ..model import (
    BY_CERTIFICATE,
    BY_KEY,
    BY_SECRET,
    BY_SHOWING,
    MOST_KEYS,
    NOT_AT_ALL,
    OWN_REGISTRATION_PREFIX,
    REGISTRATION_PREFIX,
    Answer,
    Client,
    GrantType,
    NewClient,
    NewRegistrationToken,
    RegistrationToken,
    Resource,
    is_bound,
    method_of,
)
from ..store import authorizations
from ..store import clients as store
from . import certificates, keys
from .clients import add, check, check_home, require, view

# A program that registers itself gets nothing as itself: that is for people to give.
_OWN_GRANTS = frozenset(GrantType) - {
    GrantType.CLIENT_CREDENTIALS,
    GrantType.JWT_BEARER,
    GrantType.PASSWORD,
}
_METHODS = (*BY_SECRET, BY_KEY, *BY_SHOWING, NOT_AT_ALL)
_LONGEST_NAME = 100
MALFORMED = (JoseError, FieldInvalid, ValueError, TypeError, AttributeError)
NO_TOKEN = Answer(
    401, {"error": "invalid_token"}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
)


async def make_token(
    tx: Tx, caller: Caller, new: NewRegistrationToken
) -> tuple[RegistrationToken, str]:
    """Make a token by which programs register themselves; it is shown here and never again.

    Raises:
        PersonNeeded, OrganizationUnknown, PermissionMissing, InstallationOnly.
        FieldInvalid: it would have expired already.
    """
    await require(tx, caller, new.organization_id)
    if new.expires_at <= tx.now:
        raise FieldInvalid("/expiresAt", "must lie in the future.")
    secret = make_secret(REGISTRATION_PREFIX, 32)
    made = await store.add_token(tx, new, digest(secret))
    after = {"name": made.name, "scopes": made.scopes, "uses": made.uses_left}
    tx.announce(RegistrationTokenMade(made.id, made.organization_id, after=after))
    return made, secret


async def list_tokens(
    tx: Tx, caller: Caller, asked: pages.PageRequest, organization_id: UUID | None
) -> pages.Page[RegistrationToken]:
    """List the registration tokens the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_tokens(tx, seen, asked, organization_id)


async def get_token(tx: Tx, caller: Caller, token_id: UUID) -> RegistrationToken:
    """Read a registration token the caller may see. Raises RegistrationTokenUnknown."""
    found = await store.get_token(tx, token_id)
    if not caller.may(Permission.READ_USERS, found.organization_id):
        raise RegistrationTokenUnknown(id=token_id)
    return found


async def remove_token(tx: Tx, caller: Caller, token_id: UUID) -> None:
    """Remove a registration token; who registered by it stays.

    Raises:
        RegistrationTokenUnknown, PermissionMissing.
    """
    found = await get_token(tx, caller, token_id)
    organizations.require(caller, Permission.MANAGE_USERS, found.organization_id)
    await store.remove_token(tx, token_id)
    before = {"name": found.name}
    tx.announce(RegistrationTokenRemoved(token_id, found.organization_id, before=before))


async def register(
    tx: Tx, issuer: str, secret: str | None, told: Mapping[str, Any], origin: str | None
) -> Answer:
    """Register a program as a client (RFC 7591, section 3)."""
    try:
        metadata = read(told)
    except MALFORMED as wrong:
        return refused(wrong)
    token = await store.use_token(tx, digest(secret)) if secret else None
    if token is None:
        return NO_TOKEN
    scopes = metadata.scopes or token.scopes
    if not set(scopes) <= set(token.scopes):
        await store.give_back(tx, token)
        return refused(FieldInvalid("/scope", "is more than the registration token allows."))
    wanted = NewClient(
        token.organization_id, metadata.name, metadata.grant_types, scopes, metadata.website,
        metadata.confidential, metadata.redirect_uris, keys=metadata.keys,
        certificate_name=metadata.certificate_name, certificates=metadata.certificates,
        certificate_bound=metadata.certificate_bound, registration_token_id=token.id,
    )  # fmt: skip
    try:
        check_home(wanted)
    except FieldInvalid as wrong:
        await store.give_back(tx, token)
        return refused(wrong)
    tx.caller = Caller(CallerKind.CLIENT, token.id, f"registration token {token.name}",
                       origin=origin)  # fmt: skip
    try:
        made, client_secret = await add(tx, wanted)
    except ClientNameTaken as taken:
        await store.give_back(tx, token)
        return refused(taken)
    own = make_secret(OWN_REGISTRATION_PREFIX, 32)
    await store.set_registration(tx, made.id, digest(own))
    tx.announce(ClientMade(made.id, made.organization_id, after={**view(made), "origin": origin}))
    return Answer(201, shown(made, issuer, own, client_secret))


def shown(made: Client, issuer: str, own: str, client_secret: str | None) -> dict[str, Any]:
    """Tell a program what is registered (RFC 7591, section 3.2.1; RFC 7592, section 3).

    Args:
        made: its client.
        issuer: the installation's address.
        own: the token by which it reads and changes this.
        client_secret: a new one, which is shown here and never again.
    """
    body: dict[str, Any] = {
        "client_id": str(made.id),
        "client_id_issued_at": int(made.created_at.timestamp()),
        "registration_access_token": own,
        "registration_client_uri": f"{issuer}/api/v1/oauth/register/{made.id}",
        "client_name": made.name,
        "grant_types": [g.value for g in made.grant_types],
        "response_types": ["code"] if GrantType.AUTHORIZATION_CODE in made.grant_types else [],
        "redirect_uris": list(made.redirect_uris),
        "scope": " ".join(s.value for s in made.scopes),
        "token_endpoint_auth_method": method_of(made),
    }
    if made.keys:
        body["jwks"] = {"keys": list(made.keys)}
    if is_bound(made):
        body |= {certificates.BOUND: True, **certificates.told_of(made)}
    if made.website:
        body["client_uri"] = made.website
    if client_secret:
        body |= {"client_secret": client_secret, "client_secret_expires_at": 0}
    return body


def read(told: Mapping[str, Any], had: Iterable[GrantType] = ()) -> NewClient:
    """Read client metadata (RFC 7591, section 2); what is not known is left out.

    Grants that people have to give may be among those it `had`. Raises one of `MALFORMED`.
    """
    claims = ClientMetadataClaims(dict(told), {}, {}, {})
    claims.validate()
    method = claims["token_endpoint_auth_method"]
    if method not in _METHODS:
        raise FieldInvalid("/token_endpoint_auth_method", f"must be one of {', '.join(_METHODS)}")
    grants = tuple(GrantType(g) for g in claims.get("grant_types", ["authorization_code"]))
    if not {*grants} <= _OWN_GRANTS | {*had}:
        raise FieldInvalid(
            "/grant_types", "must not have client_credentials, jwt-bearer or password"
        )
    scopes = tuple(Permission(s) for s in str(claims.get("scope", "")).split())
    name = str(claims.get("client_name", "")).strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise FieldInvalid("/client_name", f"must have 1 to {_LONGEST_NAME} characters")
    website = claims.get("client_uri")
    uris = claims.get("redirect_uris", [])
    if not isinstance(uris, list) or len(uris) > 20 or any(len(str(u)) > 2_000 for u in uris):
        raise FieldInvalid("/redirect_uris", "must be at most 20 URIs")
    if "jwks_uri" in claims:
        raise FieldInvalid("/jwks_uri", "is not fetched; send the keys as jwks")
    own = claims["jwks"]["keys"] if "jwks" in claims else []
    if bool(own) != (method in (BY_KEY, BY_CERTIFICATE)) or len(own) > MOST_KEYS:
        reason = f"must have 1 to {MOST_KEYS} keys with {BY_KEY} or {BY_CERTIFICATE}, else none"
        raise FieldInvalid("/jwks", reason)
    if not isinstance(bound := claims.get(certificates.BOUND, False), bool):
        raise FieldInvalid(f"/{certificates.BOUND}", "must be true or false")
    made = NewClient(None, name, tuple(dict.fromkeys(grants)), scopes, website,
                     method != NOT_AT_ALL, tuple(dict.fromkeys(str(u) for u in uris)),
                     keys=keys.checked(own if method == BY_KEY else []),
                     certificate_name=certificates.name_told(told, method),
                     certificates=certificates.certificates_told(
                         own if method == BY_CERTIFICATE else []
                     ),
                     certificate_bound=bound and method not in BY_SHOWING)  # fmt: skip
    check(made)
    return made


def refused(wrong: Exception) -> Answer:
    """Refuse what was told (RFC 7591, section 3.2.2)."""
    is_redirect = "redirect" in str(wrong).lower()
    error = "invalid_redirect_uri" if is_redirect else "invalid_client_metadata"
    return Answer(400, {"error": error, "error_description": str(wrong)[:300]})


# --- What is published -------------------------------------------------------


def metadata(issuer: str, *, passwords: bool, by_certificate: bool) -> dict[str, Any]:
    """Tell programs how to find everything (RFC 8414, section 2).

    Args:
        issuer: the installation's address.
        passwords: whether the operator has switched the password grant on.
        by_certificate: whether they let proxies pass certificates on.
    """
    at = f"{issuer}/api/v1/oauth"
    methods = [one for one in _METHODS if by_certificate or one not in BY_SHOWING]
    bound = {certificates.BOUND: True} if by_certificate else {}
    return bound | {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{at}/token",
        "revocation_endpoint": f"{at}/revoke",
        "introspection_endpoint": f"{at}/introspect",
        "device_authorization_endpoint": f"{at}/device-authorization",
        "registration_endpoint": f"{at}/register",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": [p.value for p in Permission],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            g.value for g in GrantType if passwords or g is not GrantType.PASSWORD
        ],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": [m for m in methods if m != "none"],
        **{
            f"{name}_endpoint_auth_signing_alg_values_supported": list(ASYMMETRIC)
            for name in ("token", "revocation", "introspection")
        },
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "protected_resources": [f"{issuer}{one.value}" for one in Resource],
    }


# --- What is over ------------------------------------------------------------


async def sweep(tx: Tx) -> None:
    """End what people allowed whose account was closed."""
    for gone in await authorizations.drop_of_closed_accounts(tx):
        client = await store.find(tx, gone.client_id)
        home = client.organization_id if client else None
        before = {"client": gone.client_id, "scopes": gone.scopes, "reason": "account closed"}
        tx.announce(AccessEnded(gone.user_id or gone.client_id, home, before=before))


async def clear_away(tx: Tx) -> None:
    """Delete what has ended."""
    await authorizations.drop_expired(tx)
    await store.drop_expired_tokens(tx)
