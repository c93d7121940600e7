"""Signing in and out, and what a person does with their own account."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.mail import Post
from moorage.kit.secrets import digest, make_token

from ..errors import (
    AccountExists,
    CredentialsWrong,
    SecondFactorNeeded,
    SecondFactorWrong,
    SessionUnknown,
)
from ..facts import PasswordChanged, SessionEnded, SignInRefused, UserSignedIn
from ..model import (
    ACCESS_TOKEN,
    Factor,
    Known,
    LinkKind,
    Proof,
    Session,
    SessionKind,
    SignedIn,
    Tokens,
    User,
    Visitor,
    WishKind,
)
from ..ports import Outside
from ..store import counts, factors, people, sessions
from . import passkeys, passwords
from .attempts import NOBODY, attempt, confirm, still, take_back, visitor_caller
from .homes import tell
from .invitations import take_up
from .letters import Occasion, write_to
from .people import my_user
from .second_factor import needed, prove
from .tokens import SigningKeys, make_access_token

T = TypeVar("T")
LETS_IN = (LinkKind.SIGN_IN, LinkKind.INVITATION)


async def sign_in(
    database: Database,
    visitor: Visitor,
    post: Post,
    email: str,
    password: str,
    proof: Proof,
    kind: SessionKind,
    outside: Outside | None = None,
) -> SignedIn:
    """Open a session for a name, a password and, if there is one, a second factor.

    Raises:
        TooManyFailures, CredentialsWrong, SecondFactorNeeded, SecondFactorWrong.
    """

    async def open_(tx: Tx, user: User, by: str, factor: Factor | None) -> SignedIn:
        return await open_session(tx, user, kind, visitor, by=by, factor=factor)

    return await _by_password(database, visitor, post, email, password, proof, outside, open_)


async def prove_password(
    database: Database,
    visitor: Visitor,
    post: Post,
    email: str,
    password: str,
    outside: Outside | None = None,
) -> UUID:
    """Tell whose a name and password are, for a program that was given them; opens no session.

    Raises:
        TooManyFailures, CredentialsWrong.
        SecondFactorNeeded: which a program cannot show.
    """

    async def know(_tx: Tx, user: User, _by: str, _factor: Factor | None) -> UUID:
        return user.id

    nothing = Proof()
    return await _by_password(database, visitor, post, email, password, nothing, outside, know)


async def _by_password(
    database: Database,
    visitor: Visitor,
    post: Post,
    email: str,
    password: str,
    proof: Proof,
    outside: Outside | None,
    let: Callable[[Tx, User, str, Factor | None], Awaitable[T]],
) -> T:
    """Do `let` for whoever shows a name, a password and, if there is one, a second factor.

    The name is an e-mail address, or one of a user store.

    The attempt is counted, the password compared, the outcome written, each in its own
    transaction: what is counted and announced stays when the request fails.

    Raises:
        TooManyFailures: the account or the address has to wait.
        CredentialsWrong: in the same words and time whatever was wrong.
        SecondFactorNeeded: so far all is right; nothing is counted.
        SecondFactorWrong: counted as a wrong password is.
    """
    began = time.monotonic()
    user, password_hash, locks = await attempt(database, visitor, email)
    known, renewed = Known(decided=False), None
    if outside is not None:
        has = password_hash is not None
        known = await outside.authenticate(email, password, user, has_password=has)
    if known.decided:
        right = known.user_id is not None
    else:
        right, renewed = await passwords.matches(password, password_hash)
    async with database.begin(visitor_caller(user, email, visitor)) as tx:
        if right and (user_id := known.user_id or (user.id if user else None)):
            user = await still(tx, user_id)
            tx.caller = visitor_caller(user, email, visitor)
        let_in = user is not None and right and user.may_sign_in(tx.now)
        wanted, factor = None, None
        if let_in and user is not None:
            wanted, factor = await _second(tx, post, user, proof)
            if wanted is None or factor is not None:
                if renewed is not None:
                    await people.set_password(tx, user.id, renewed)
                await counts.forget_failures(tx, "account", email)
                await take_back(tx, visitor)
                by = "user store" if known.decided else "password"
                return await let(tx, user, by, factor)
        if wanted is not None and not proof.given:
            await take_back(tx, visitor, email)
        else:
            refused = {"email": email.lower()[:254], "origin": visitor.address}
            if wanted is not None:
                refused["factor"] = "wrong"
            await tell(tx, SignInRefused, user.id if user else NOBODY, after=refused)
            if locks and post.works:
                await counts.wish(tx, WishKind.LOCKED, email, visitor.address)
    if wanted is not None:
        raise SecondFactorWrong if proof.given else wanted
    if outside is not None:
        await outside.even_out(began)
    raise CredentialsWrong


async def sign_in_by_link(
    database: Database, visitor: Visitor, post: Post, token: str, proof: Proof
) -> SignedIn:
    """Open a console session for a one-time link, which is used up.

    Raises:
        TooManyFailures: the address has to wait, or with a second factor the account.
        CredentialsWrong: the link was used, replaced or has expired, or the account is closed.
        SecondFactorNeeded: the link holds still.
        SecondFactorWrong: counted as a wrong password is; the link holds still.
        AccountExists: it is an invitation's, and the person has an account to sign in to.
        InvitationVoid: it is an invitation's, and who made it may not let anybody in any more.
    """
    factor = await _prove_for_link(database, visitor, post, token, proof)
    async with database.begin() as tx:
        taken = await people.take_link(tx, digest(token), LETS_IN)
        if taken is not None:
            user, lets_in = await still(tx, taken[0]), True
        else:
            user, lets_in = await take_up(tx, digest(token))
        tx.caller = visitor_caller(user, "one-time link", visitor)
        if user is not None:
            await take_back(tx, visitor)
        if user is not None and lets_in and user.may_sign_in(tx.now):
            by = taken[1] if taken else LinkKind.INVITATION
            if factor is not None:
                await counts.forget_failures(tx, "account", user.label)
            elif (await factors.of(tx, user.id)).any:
                # It was set up this very moment; the link holds still.
                raise CredentialsWrong
            kind = SessionKind.CONSOLE
            return await open_session(tx, user, kind, visitor, by=by.value, factor=factor)
        refused = {"link": True, "origin": visitor.address}
        await tell(tx, SignInRefused, user.id if user else NOBODY, after=refused)
    raise CredentialsWrong if user is None or lets_in else AccountExists


async def begin_passkey_sign_in(database: Database, post: Post) -> passkeys.Options:
    """Give what a browser lets whoever sits there choose a passkey by."""
    async with database.begin() as tx:
        return await passkeys.ask_first(tx, post)


async def sign_in_by_passkey(
    database: Database, visitor: Visitor, post: Post, credential: Mapping[str, Any]
) -> SignedIn:
    """Open a console session for a passkey whose device verified its person.

    Raises:
        TooManyFailures: the address has to wait.
        CredentialsWrong: in the same words whatever was wrong.
    """
    await attempt(database, visitor, None)
    async with database.begin() as tx:
        user_id = await passkeys.check_first(tx, post, credential)
        user = await still(tx, user_id) if user_id else None
        tx.caller = visitor_caller(user, "passkey", visitor)
        if user is not None and user.may_sign_in(tx.now):
            await take_back(tx, visitor)
            kind = SessionKind.CONSOLE
            return await open_session(tx, user, kind, visitor, by="passkey", factor=Factor.PASSKEY)
        refused = {"passkey": True, "origin": visitor.address}
        await tell(tx, SignInRefused, user.id if user else NOBODY, after=refused)
    raise CredentialsWrong


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
            user = await still(tx, ended.user_id)
            tx.caller = visitor_caller(user, "refresh token", visitor)
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


async def end_my_other_sessions(tx: Tx, caller: Caller) -> None:
    """End every session of the caller but this one. Raises PersonNeeded."""
    await my_user(tx, caller)
    ended = await sessions.remove_all(tx, caller.id, but=caller.session_id)
    view = {"sessions": [str(session_id) for session_id in ended]}
    await tell(tx, SessionEnded, caller.id, before=view)


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
    post: Post,
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
    await passwords.check(new, user.email, user.name, pointer="/newPassword")
    made = None
    if outside is not None and await outside.keeps_password_of(user.id):
        # What is tried there counts as what is tried here.
        await attempt(database, visitor, user.label)
        await outside.change_password(user.id, current, new)
    else:
        await confirm(database, caller, visitor, current)
        made = await passwords.make(new)
    async with database.begin(caller) as tx:
        if made is not None:
            await people.set_password(tx, user.id, made)
        await counts.forget_failures(tx, "account", user.label)
        ended = await sessions.remove_all(tx, user.id, but=caller.session_id)
        after = {"password": "***", "sessionsEnded": len(ended)}
        await tell(tx, PasswordChanged, user.id, after=after)
        path = "/sign-in#forgotten"
        await write_to(tx, post, Occasion.PASSWORD_CHANGED, user, path=path, origin=visitor.address)


# --- Inside ---------------------------------------------------------------


async def _second(
    tx: Tx, post: Post, user: User, proof: Proof
) -> tuple[SecondFactorNeeded | None, Factor | None]:
    """Tell what is asked for beside the password, and what was shown of it."""
    if proof.given:
        held = await factors.of(tx, user.id)
        shown = await prove(tx, post, user, proof) if held.any else None
        return (SecondFactorNeeded(ways=[], passkey=None) if held.any else None), shown
    return await needed(tx, post, user), None


async def _prove_for_link(
    database: Database, visitor: Visitor, post: Post, token: str, proof: Proof
) -> Factor | None:
    """Have the second factor of whose link it is shown, if there is one; gives what was shown.

    Raises:
        TooManyFailures, SecondFactorNeeded, SecondFactorWrong.
    """
    async with database.begin() as tx:
        user_id = await people.find_link(tx, digest(token), LETS_IN)
        user = await still(tx, user_id) if user_id else None
        held = user is not None and (await factors.of(tx, user.id)).any
    await attempt(database, visitor, user.label if user and held and proof.given else None)
    if user is None or not held:
        return None
    async with database.begin(visitor_caller(user, "one-time link", visitor)) as tx:
        wanted, shown = await _second(tx, post, user, proof)
        if shown is None and proof.given:
            refused = {"link": True, "origin": visitor.address, "factor": "wrong"}
            await tell(tx, SignInRefused, user.id, after=refused)
        elif wanted is not None and shown is None:
            await take_back(tx, visitor)
    if wanted is not None and shown is None:
        raise SecondFactorWrong if proof.given else wanted
    return shown


async def open_session(
    tx: Tx,
    user: User,
    kind: SessionKind,
    visitor: Visitor,
    *,
    by: str,
    factor: Factor | None = None,
) -> SignedIn:
    """Open a session and tell of it; whoever calls has checked who it is."""
    secret = make_token("mr_" if kind is SessionKind.TOKEN else "ms_", 32)
    session = await sessions.add(
        tx, user.id, kind, digest(secret), visitor,
        by_link=by in LETS_IN, proven=factor is not None,
    )  # fmt: skip
    await people.note_sign_in(tx, user.id)
    after = {"session": str(session.id), "kind": kind.value, "by": by, "origin": visitor.address}
    if factor is not None:
        after["factor"] = factor.value
    await tell(tx, UserSignedIn, user.id, after=after)
    return SignedIn(user, session, secret)
