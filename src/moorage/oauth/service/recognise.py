"""Recognising who shows a credential, of whatever sort: the one place that every door asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from moorage import organizations, users
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.organizations import MemberKind, Permission
from moorage.users import AskerGone, CredentialsWrong, SigningKeys

from ..model import (
    BY_SHOWING,
    Authorization,
    Client,
    Resource,
    ShownCertificate,
    is_bound,
    method_of,
)
from ..store import authorizations
from ..store import clients as client_store
from . import certificates


async def identify(
    tx: Tx,
    keys: SigningKeys,
    *,
    bearer: str | None = None,
    api_key: str | None = None,
    basic: str | None = None,
    session: str | None = None,
    origin: str | None = None,
    certificate: ShownCertificate | None = None,
) -> Caller:
    """Recognise who asks the API: a person, an API key, a client or whoever it acts for.

    Takes what `users.identify` takes, and the certificate that a token may be bound to. Raises
    CredentialsWrong.
    """
    return await users.identify(
        tx, keys, bearer=bearer, api_key=api_key, basic=basic, session=session, origin=origin,
        delegates=partial(_holder, Resource.API, certificate),
    )  # fmt: skip


def is_token(secret: str) -> bool:
    """Tell whether a secret looks like an access token (RFC 7519, section 3)."""
    return secret.startswith("eyJ") and secret.count(".") == 2


async def identify_secret(
    tx: Tx, secret: str, origin: str | None, certificate: ShownCertificate | None = None
) -> Caller:
    """Recognise who shows an API key or an access token at the MQTT door.

    Raises:
        CredentialsWrong: also for a token that is for other doors, or of a person's own session.
    """
    if not is_token(secret):
        return await users.identify_key(tx, secret, origin)
    claims = await users.read_token(tx, None, secret)
    if "client_id" not in claims:
        raise CredentialsWrong
    return await _holder(Resource.MQTT, certificate, tx, claims, origin)


async def recognise_again(
    tx: Tx, caller: Caller, held: Collection[ShownCertificate] = ()
) -> Caller | None:
    """Give whoever signed in with a secret their rights as they are now; None without any.

    `held` are the certificates shown beside it, which must still prove a client that has no other
    proof.
    """
    if caller.authorization_id is None:
        return await users.recognise_again(tx, caller)
    if caller.expires_at is not None and caller.expires_at <= tx.now:
        return None
    try:
        return await _of(
            tx, caller.authorization_id, None, caller.origin, caller.expires_at, held or (None,)
        )
    except CredentialsWrong:
        return None


async def act_for(tx: Tx, caller_id: UUID, authorization_id: UUID | None) -> Caller:
    """Give who asked for something earlier their rights as they are now.

    Args:
        tx: the transaction.
        caller_id: who asked.
        authorization_id: by which a client asked, if one did.

    Raises:
        AskerGone: the account, key or client is gone or closed, or what it was allowed has ended.
    """
    if authorization_id is None:
        return await users.act_for(tx, caller_id)
    # A client's own tokens are short; the work it asked for goes on as long as there is the client.
    client = await client_store.find(tx, caller_id)
    if client is not None:
        grants = await _held_by_client(tx, client, client.scopes)
        return _as_itself(client, grants, None, authorization_id, None)
    try:
        return await _of(tx, authorization_id, None, None, None)
    except CredentialsWrong as ended:
        raise AskerGone from ended


@dataclass(frozen=True, slots=True)
class _Told:
    """What a token says.

    Attributes:
        bound: whether it holds beside a certificate only, which is then there.
    """

    client_id: UUID
    scopes: frozenset[str]
    bound: bool


async def _holder(
    door: Resource,
    certificate: ShownCertificate | None,
    tx: Tx,
    claims: Mapping[str, Any],
    origin: str | None,
) -> Caller:
    """Recognise who holds a token that was signed here, as it is used at `door`."""
    try:
        audience = claims["aud"]
        paths = {
            urlsplit(one).path for one in ([audience] if isinstance(audience, str) else audience)
        }
        client_id, authorization_id = UUID(claims["client_id"]), UUID(claims["sid"])
        scopes = frozenset(str(claims["scope"]).split())
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (KeyError, ValueError, TypeError, AttributeError) as wrong:
        raise CredentialsWrong from wrong
    if not any(path.endswith(door.value) for path in paths):
        raise CredentialsWrong
    if not certificates.confirms(claims, certificate):
        raise CredentialsWrong
    bound = "cnf" in claims
    if bound and certificate is not None:
        expires_at = min(expires_at, certificates.ends_at(certificate))
    told = _Told(client_id, scopes, bound)
    return await _of(tx, authorization_id, told, origin, expires_at, (certificate,))


async def _of(
    tx: Tx,
    authorization_id: UUID,
    told: _Told | None,
    origin: str | None,
    expires_at: datetime | None,
    held: Collection[ShownCertificate | None] = (),
) -> Caller:
    """Give who acts by an authorisation.

    Args:
        tx: the transaction.
        authorization_id: by which.
        told: what the token says, which may be less.
        origin: the network address.
        expires_at: when the token does.
        held: certificates that must prove a client that has no other proof.
    """
    found = await authorizations.find(tx, authorization_id)
    client = await client_store.find(tx, found.client_id) if found else None
    if found is None or client is None:
        raise CredentialsWrong
    scopes = [s for s in found.scopes if s in client.scopes]
    if told is not None:
        if told.client_id != client.id or (is_bound(client) and not told.bound):
            raise CredentialsWrong
        scopes = [s for s in scopes if s.value in told.scopes]
    if method_of(client) in BY_SHOWING:
        for one in held:
            if not await certificates.proves(tx, client, one):
                raise CredentialsWrong
    await authorizations.touch(tx, found)
    if found.user_id is None:
        grants = await _held_by_client(tx, client, tuple(scopes))
        return _as_itself(client, grants, origin, found.id, expires_at)
    return await _in_name_of(tx, client, found, tuple(scopes), origin, expires_at)


async def _in_name_of(
    tx: Tx,
    client: Client,
    found: Authorization,
    scopes: tuple[Permission, ...],
    origin: str | None,
    expires_at: datetime | None,
) -> Caller:
    if found.user_id is None:
        raise CredentialsWrong
    user, held = await users.held_by(tx, found.user_id, proven=found.proven)
    return Caller(
        CallerKind.PERSON,
        user.id,
        f"{user.label} ({client.name})",
        narrowed(held, client.organization_id, scopes),
        origin,
        expires_at=expires_at or found.expires_at,
        authorization_id=found.id,
        client_id=client.id,
        organization_id=client.organization_id,
    )


def _as_itself(
    client: Client,
    grants: tuple[Grant, ...],
    origin: str | None,
    authorization_id: UUID,
    expires_at: datetime | None,
) -> Caller:
    return Caller(
        CallerKind.CLIENT, client.id, client.name, grants, origin,
        expires_at=expires_at, authorization_id=authorization_id, client_id=client.id,
        organization_id=client.organization_id,
    )  # fmt: skip


async def _held_by_client(
    tx: Tx, client: Client, scopes: tuple[Permission, ...]
) -> tuple[Grant, ...]:
    held = await organizations.grants_held(tx, MemberKind.CLIENT, client.id)
    if client.organization_id is not None:
        # Whatever group it was put into, a client acts in its own organisation only.
        held = tuple(g for g in held if g.organization_id == client.organization_id)
    return narrowed(held, client.organization_id, scopes)


def narrowed(
    held: tuple[Grant, ...], organization_id: UUID | None, scopes: tuple[Permission, ...]
) -> tuple[Grant, ...]:
    """Give what of some rights a client may use: in its organisation, within its scopes.

    What a GlobalAdmin holds everywhere they lend to a client of an organisation there only.
    """
    words = frozenset(s.value for s in scopes)
    if organization_id is None:
        return tuple(replace(g, permissions=g.permissions & words) for g in held)
    return tuple(
        replace(g, permissions=g.permissions & words, organization_id=organization_id)
        for g in held
        if g.organization_id in (None, organization_id)
    )
