"""Recognising who asks, with rights as they are in the database now."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from moorage import organizations
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.secrets import digest
from moorage.organizations import MemberKind

from ..errors import ApiKeyUnknown, AskerGone, CredentialsWrong, UserUnknown
from ..model import API_KEY_PREFIX, ApiKey, Session, SessionKind, User
from ..ports import Delegates
from ..store import keys as key_store
from ..store import people, sessions
from .tokens import SigningKeys, read_token, session_of


async def identify(
    tx: Tx,
    keys: SigningKeys,
    *,
    bearer: str | None = None,
    api_key: str | None = None,
    basic: str | None = None,
    session: str | None = None,
    origin: str | None = None,
    delegates: Delegates | None = None,
) -> Caller:
    """Recognise who asks, with rights as they are in the database now.

    A valid access token makes an API key of the same request be ignored.

    Args:
        tx: the transaction.
        keys: check access tokens.
        bearer: an access token, or an API key.
        api_key: an API key.
        basic: an API key that came as HTTP Basic, which not every key may.
        session: the console's cookie.
        origin: the network address, for the audit.
        delegates: recognises what OAuth clients show; without, they are nobody.

    Raises:
        CredentialsWrong: none of them is valid.
    """
    if bearer is not None and not bearer.startswith(API_KEY_PREFIX):
        try:
            claims = await read_token(tx, keys, bearer)
            if delegates is not None and "client_id" in claims:
                return await delegates(tx, claims, origin)
            user_id, session_id, ends_at = session_of(claims)
            found = await sessions.find(tx, session_id=session_id)
            if found is None or found[1].id != user_id:
                raise CredentialsWrong
            return replace(await _person(tx, *found, origin), expires_at=ends_at)
        except CredentialsWrong:
            if api_key is None:
                raise
    elif bearer is not None and api_key is None:
        api_key = bearer
    if api_key is not None:
        return await identify_key(tx, api_key, origin)
    if basic is not None:
        return await identify_key(tx, basic, origin, as_basic=True)
    if session is not None:
        found = await sessions.find(tx, digest=digest(session))
        if found is not None and found[0].kind is SessionKind.CONSOLE:
            await sessions.touch(tx, found[0])
            return await _person(tx, *found, origin)
    raise CredentialsWrong


async def identify_key(
    tx: Tx, secret: str, origin: str | None, *, as_basic: bool = False
) -> Caller:
    """Recognise who shows an API key, with its rights as they are now. Raises CredentialsWrong."""
    key = await key_store.find_open(tx, digest=digest(secret))
    if key is None or (as_basic and not key.basic):
        raise CredentialsWrong
    await key_store.touch(tx, key)
    return await _program(tx, key, origin)


async def recognise_again(tx: Tx, caller: Caller) -> Caller | None:
    """Give whoever signed in with an API key their rights as they are now; None without any."""
    try:
        key = await key_store.get(tx, caller.id)
    except ApiKeyUnknown:
        return None
    if key.expires_at is not None and key.expires_at <= tx.now:
        return None
    return await _program(tx, key, caller.origin)


async def act_for(tx: Tx, caller_id: UUID) -> Caller:
    """Give who asked for something earlier their rights as they are now.

    For work that goes on without them, and for what they offered to others.

    Raises:
        AskerGone: the account or key is gone, closed or has expired.
    """
    key = await key_store.find_open(tx, key_id=caller_id)
    if key is not None:
        return await _program(tx, key, None)
    try:
        user = await people.get(tx, caller_id)
    except UserUnknown as gone:
        raise AskerGone from gone
    if not user.may_sign_in(tx.now):
        raise AskerGone
    grants = await organizations.grants_held(tx, MemberKind.USER, user.id)
    return Caller(CallerKind.PERSON, user.id, user.label, grants)


async def held_by(tx: Tx, user_id: UUID, *, proven: bool) -> tuple[User, tuple[Grant, ...]]:
    """Give a person who may sign in, with their rights as they are now. Raises CredentialsWrong."""
    try:
        user = await people.get(tx, user_id)
    except UserUnknown as gone:
        raise CredentialsWrong from gone
    if not user.may_sign_in(tx.now):
        raise CredentialsWrong
    return user, await organizations.grants_held(tx, MemberKind.USER, user.id, proven=proven)


async def _person(tx: Tx, session: Session, user: User, origin: str | None) -> Caller:
    grants = await organizations.grants_held(tx, MemberKind.USER, user.id, proven=session.proven)
    ends_at = min(session.expires_at, user.expires_at or session.expires_at)
    return Caller(CallerKind.PERSON, user.id, user.label, grants, origin, session.id, ends_at)


async def _program(tx: Tx, key: ApiKey, origin: str | None) -> Caller:
    held = await organizations.grants_held(tx, MemberKind.API_KEY, key.id)
    if key.organization_id is not None:
        # Whatever group it was put into, a key acts in its own organisation only.
        held = tuple(g for g in held if g.organization_id == key.organization_id)
    if key.scopes is not None:
        scopes = frozenset(s.value for s in key.scopes)
        held = tuple(replace(g, permissions=g.permissions & scopes) for g in held)
    return Caller(
        CallerKind.API_KEY, key.id, key.name, held, origin,
        expires_at=key.expires_at, organization_id=key.organization_id,
    )  # fmt: skip
