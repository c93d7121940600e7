"""A new password by mail, and other mail that somebody who is not signed in brings about.

What is asked for is noted in the same way whether there is such an account or not; the worker
finds out a moment later. So neither the answer nor its time tells who has an account.
"""

from __future__ import annotations

from urllib.parse import quote

from moorage.kit.db import Database, Tx
from moorage.kit.mail import Post
from moorage.kit.secrets import digest, make_token

from ..errors import CredentialsWrong, MailOff, TooManyResets
from ..facts import LinkMade, PasswordChanged
from ..model import RESET_LINK, LinkKind, User, Visitor, WishKind
from ..store import counts, people, sessions
from . import passwords
from .attempts import attempt, still, take_back, visitor_caller, wait_s
from .homes import tell
from .letters import Occasion, write_to

RESETS = (LinkKind.RESET,)
# Wishes that one run of the worker answers.
MOST_WISHES = 50


async def ask_reset(database: Database, visitor: Visitor, post: Post, email: str) -> None:
    """Have a link mailed that sets a new password, if the address is of an open account.

    Raises:
        MailOff: this installation sends no mail.
        TooManyResets: the same for an address that is nobody's.
    """
    if not post.works:
        raise MailOff
    async with database.begin() as tx:
        until = None
        if visitor.address:
            until = (await counts.count_attempt(tx, "resetAddress", visitor.address)).until
        if until is None:
            until = (await counts.count_attempt(tx, "resetAccount", email)).until
        if until is None:
            await counts.wish(tx, WishKind.RESET, email, visitor.address)
        now = tx.now
    if until is not None:
        raise TooManyResets(retry_after_s=wait_s(until, now))


async def reset_password(
    database: Database, visitor: Visitor, post: Post, token: str, new: str
) -> None:
    """Set a password by a link from a mail, which is used up; every session ends.

    It signs nobody in: a second factor is asked for as ever.

    Raises:
        TooManyFailures: the address has to wait.
        CredentialsWrong: the link was used, replaced or has expired, or the account is closed.
        PasswordWeak: the link holds still.
    """
    await attempt(database, visitor, None)
    async with database.begin() as tx:
        user = await _whose(tx, token)
        if user is not None:
            await take_back(tx, visitor)
    if user is None:
        raise CredentialsWrong
    await passwords.check(new, user.email, user.name, pointer="/newPassword")
    made = await passwords.make(new)
    async with database.begin(visitor_caller(user, "reset link", visitor)) as tx:
        if await people.take_link(tx, digest(token), RESETS) is None:
            raise CredentialsWrong
        await people.set_password(tx, user.id, made)
        await people.drop_links(tx, user.id)
        await counts.forget_failures(tx, "account", user.label)
        ended = await sessions.remove_all(tx, user.id)
        after = {"password": "***", "by": "reset", "sessionsEnded": len(ended)}
        await tell(tx, PasswordChanged, user.id, after=after)
        path = "/sign-in#forgotten"
        await write_to(tx, post, Occasion.PASSWORD_CHANGED, user, path=path, origin=visitor.address)


async def answer_wishes(tx: Tx, post: Post) -> int:
    """Write the letters that were wished for, to those who have an open account.

    Returns:
        How many wishes there were.
    """
    wishes = await counts.take_wishes(tx, MOST_WISHES)
    for wish in wishes:
        found = await people.find_by_email(tx, wish.email)
        if found is None or not found[0].may_sign_in(tx.now):
            continue
        if wish.kind is WishKind.RESET:
            await _send_reset(tx, post, found[0], wish.origin)
        else:
            await write_to(tx, post, Occasion.LOCKED, found[0], origin=wish.origin)
    return len(wishes)


async def _send_reset(tx: Tx, post: Post, user: User, origin: str | None) -> None:
    token = make_token("ml_", 32)
    link = await people.add_link(tx, user.id, LinkKind.RESET, token, digest(token), RESET_LINK)
    after = {"kind": link.kind.value, "expires_at": link.expires_at, "token": "***"}
    await tell(tx, LinkMade, user.id, after={**after, "origin": origin})
    await write_to(
        tx,
        post,
        Occasion.RESET,
        user,
        path=f"/sign-in#reset={quote(token)}",
        holds=RESET_LINK,
        until=link.expires_at,
        origin=origin,
    )


async def _whose(tx: Tx, token: str) -> User | None:
    user_id = await people.find_link(tx, digest(token), RESETS)
    user = await still(tx, user_id) if user_id else None
    return user if user is not None and user.may_sign_in(tx.now) else None
