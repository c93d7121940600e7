"""Signing in and out, and what a person does with their own account."""

from __future__ import annotations

import time
from math import ceil
from uuid import UUID

from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database, Tx
from moorage.kit.secrets import digest, make_token

from ..errors import (
    AccountExists,
    CredentialsWrong,
    SessionUnknown,
    TooManyFailures,
    UserUnknown,
)
from ..facts import PasswordChanged, SessionEnded, SignInRefused, UserSignedIn
from ..model import (
    ACCESS_TOKEN,
    SIGN_IN_LINK,
    Known,
    LinkKind,
    Session,
    SessionKind,
    SignedIn,
    Tokens,
    User,
    Visitor,
)
from ..ports import Outside
from ..store import people, sessions
from . import passwords
from .homes import tell
from .invitations import take_up
from .people import my_user
from .tokens import SigningKeys, make_access_token

NOBODY = UUID(int=0)


async def sign_in(
    database: Database,
    visitor: Visitor,
    email: str,
    password: str,
    kind: SessionKind,
    outside: Outside | None = None,
) -> SignedIn:
    """Open a session for an e-mail address and password, or for a name of a user store.

    The attempt is counted, the password compared, the outcome written, each in its own
    transaction: what is counted and announced stays when the request fails.

    Raises:
        TooManyFailures: the account or the address has to wait.
        CredentialsWrong: in the same words and time whatever was wrong.
    """
    began = time.monotonic()
    found = await _attempt(database, visitor, email)
    user, password_hash = found or (None, None)
    known, renewed = Known(decided=False), None
    if outside is not None:
        has = password_hash is not None
        known = await outside.authenticate(email, password, user, has_password=has)
    if known.decided:
        right = known.user_id is not None
    else:
        right, renewed = await passwords.matches(password, password_hash)
    async with database.begin(_visitor_caller(user, email, visitor)) as tx:
        if right and (user_id := known.user_id or (user.id if user else None)):
            user = await _still(tx, user_id)
            tx.caller = _visitor_caller(user, email, visitor)
        if user is not None and right and user.may_sign_in(tx.now):
            if renewed is not None:
                await people.set_password(tx, user.id, renewed)
            await people.forget_failures(tx, "account", email)
            if visitor.address:
                await people.take_back_attempt(tx, "address", visitor.address)
            by = "user store" if known.decided else "password"
            return await _open(tx, user, kind, visitor, by=by)
        refused = {"email": email.lower()[:254], "origin": visitor.address}
        await tell(tx, SignInRefused, user.id if user else NOBODY, after=refused)
    if outside is not None:
        await outside.even_out(began)
    raise CredentialsWrong


async def sign_in_by_link(database: Database, visitor: Visitor, token: str) -> SignedIn:
    """Open a console session for a one-time link, which is used up.

    Raises:
        TooManyFailures: the address has to wait.
        CredentialsWrong: the link was used, replaced or has expired, or the account is closed.
        AccountExists: it is an invitation's, and the person has an account to sign in to.
        InvitationVoid: it is an invitation's, and who made it may not let anybody in any more.
    """
    await _attempt(database, visitor, None)
    async with database.begin() as tx:
        taken = await people.take_link(tx, digest(token))
        if taken is not None:
            user, lets_in = await _still(tx, taken[0]), True
        else:
            user, lets_in = await take_up(tx, digest(token))
        tx.caller = _visitor_caller(user, "one-time link", visitor)
        if user is not None and visitor.address:
            await people.take_back_attempt(tx, "address", visitor.address)
        if user is not None and lets_in and user.may_sign_in(tx.now):
            by = taken[1] if taken else LinkKind.INVITATION
            return await _open(tx, user, SessionKind.CONSOLE, visitor, by=by.value)
        refused = {"link": True, "origin": visitor.address}
        await tell(tx, SignInRefused, user.id if user else NOBODY, after=refused)
    raise CredentialsWrong if user is None or lets_in else AccountExists


async def give_tokens(database: Database, keys: SigningKeys, signed_in: SignedIn) -> Tokens:
    """Turn a fresh session of kind token into an access and a refresh token."""
    async with database.begin() as tx:
        access = make_access_token(keys, signed_in.user.id, signed_in.session.id, tx.now)
    return Tokens(access, signed_in.secret, int(ACCESS_TOKEN.total_seconds()))


async def refresh(
    database: Database, keys: SigningKeys, visitor: Visitor, refresh_token: str
) -> Tokens:
    """Exchange a refresh token for a fresh pair; one shown twice ends the whole session.

    Raises:
        CredentialsWrong: it is unknown, was used before, or the session or account is over.
    """
    new = make_token("mr_", 32)
    async with database.begin() as tx:
        session_id = await sessions.exchange(tx, digest(refresh_token), digest(new))
        found = await sessions.find(tx, session_id=session_id) if session_id else None
        if found is not None:
            access = make_access_token(keys, found[1].id, found[0].id, tx.now)
            return Tokens(access, new, int(ACCESS_TOKEN.total_seconds()))
        spent = await sessions.spent_by(tx, digest(refresh_token))
        ended = await sessions.remove(tx, spent) if spent else None
        if ended is not None:
            user = await _still(tx, ended.user_id)
            tx.caller = _visitor_caller(user, "refresh token", visitor)
            reason = {"session": str(ended.id), "reason": "refresh token used twice"}
            await tell(tx, SessionEnded, ended.user_id, before=reason)
    raise CredentialsWrong


async def sign_out(tx: Tx, caller: Caller) -> None:
    """End the session of this request, if it has one."""
    if caller.session_id is not None:
        await sessions.remove(tx, caller.session_id)
        view = {"session": str(caller.session_id)}
        await tell(tx, SessionEnded, caller.id, before=view)


# --- What a person does with their own account ----------------------------


async def my_sessions(tx: Tx, caller: Caller) -> list[Session]:
    """List where the person who asks is signed in. Raises PersonNeeded."""
    await my_user(tx, caller)
    return await sessions.list_of(tx, caller.id)


async def end_my_session(tx: Tx, caller: Caller, session_id: UUID) -> None:
    """End one of the caller's sessions. Raises PersonNeeded, SessionUnknown."""
    await my_user(tx, caller)
    if await sessions.remove(tx, session_id, user_id=caller.id) is None:
        raise SessionUnknown(id=session_id)
    view = {"session": str(session_id)}
    await tell(tx, SessionEnded, caller.id, before=view)


async def change_password(
    database: Database,
    caller: Caller,
    visitor: Visitor,
    current: str | None,
    new: str,
    outside: Outside | None = None,
) -> None:
    """Set the caller's password, where it is kept, and end their other sessions.

    The current one is not asked for when there is none, or within fifteen minutes of a sign-in
    by link: that is how a forgotten password is replaced.

    Raises:
        PersonNeeded, PasswordWeak, TooManyFailures.
        CredentialsWrong: the current password is wrong.
    """
    async with database.begin(caller) as tx:
        user = await my_user(tx, caller)
        password_hash = await people.password_hash_of(tx, user.id)
        found = await sessions.find(tx, session_id=caller.session_id)
        by_link = (
            found is not None and found[0].by_link and tx.now - found[0].created_at < SIGN_IN_LINK
        )
    await passwords.check(new, user.email, user.name, pointer="/newPassword")
    if outside is not None and await outside.keeps_password_of(user.id):
        # What is tried there counts as what is tried here.
        await _attempt(database, visitor, user.label)
        await outside.change_password(user.id, current, new)
        async with database.begin(caller) as tx:
            await _changed(tx, user, caller)
        return
    if password_hash is not None and not by_link:
        await _attempt(database, visitor, user.label)
        right, _ = await passwords.matches(current or "", password_hash)
        if not right:
            raise CredentialsWrong
    made = await passwords.make(new)
    async with database.begin(caller) as tx:
        await people.set_password(tx, user.id, made)
        await _changed(tx, user, caller)


# --- Inside ---------------------------------------------------------------


async def _attempt(
    database: Database, visitor: Visitor, email: str | None
) -> tuple[User, str | None] | None:
    """Count an attempt; give the account tried, if there is one. Raises TooManyFailures."""
    async with database.begin() as tx:
        until = None
        if visitor.address:
            until = await people.count_attempt(tx, "address", visitor.address)
        if until is None and email is not None:
            until = await people.count_attempt(tx, "account", email)
        found = await people.find_by_email(tx, email) if email and until is None else None
        now = tx.now
    if until is not None:
        raise TooManyFailures(retry_after_s=max(1, ceil((until - now).total_seconds())))
    return found


async def _changed(tx: Tx, user: User, caller: Caller) -> None:
    """Note that somebody's password is another one."""
    await people.forget_failures(tx, "account", user.label)
    ended = await sessions.remove_all(tx, user.id, but=caller.session_id)
    after = {"password": "***", "sessionsEnded": len(ended)}
    await tell(tx, PasswordChanged, user.id, after=after)


async def _open(tx: Tx, user: User, kind: SessionKind, visitor: Visitor, *, by: str) -> SignedIn:
    secret = make_token("mr_" if kind is SessionKind.TOKEN else "ms_", 32)
    by_link = by not in ("password", "user store")
    session = await sessions.add(tx, user.id, kind, digest(secret), visitor, by_link=by_link)
    await people.note_sign_in(tx, user.id)
    after = {"session": str(session.id), "kind": kind.value, "by": by, "origin": visitor.address}
    await tell(tx, UserSignedIn, user.id, after=after)
    return SignedIn(user, session, secret)


async def _still(tx: Tx, user_id: UUID) -> User | None:
    try:
        return await people.get(tx, user_id)
    except UserUnknown:
        return None


def _visitor_caller(user: User | None, label: str, visitor: Visitor) -> Caller:
    return Caller(
        CallerKind.PERSON,
        user.id if user else NOBODY,
        (user.label if user else label)[:254],
        origin=visitor.address,
    )
