"""Attempts at signing in: counted before they are tried, and in whose name."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from uuid import UUID

from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database, Tx

from ..errors import CredentialsWrong, TooManyFailures, UserUnknown
from ..model import FREE_FAILURES, SIGN_IN_LINK, User, Visitor
from ..store import counts, people, sessions
from . import passwords
from .people import my_user

NOBODY = UUID(int=0)


async def attempt(
    database: Database, visitor: Visitor, email: str | None
) -> tuple[User | None, str | None, bool]:
    """Count an attempt.

    Returns:
        The account tried and its password's hash, if there are, and whether failing now is what
        locks the account (of somebody or nobody).

    Raises:
        TooManyFailures: the account or the address has to wait.
    """
    async with database.begin() as tx:
        until, failures = None, 0
        if visitor.address:
            until = (await counts.count_attempt(tx, "address", visitor.address)).until
        if until is None and email is not None:
            counted = await counts.count_attempt(tx, "account", email)
            until, failures = counted.until, counted.failures
        found = await people.find_by_email(tx, email) if email and until is None else None
        now = tx.now
    if until is not None:
        raise TooManyFailures(retry_after_s=wait_s(until, now))
    user, password_hash = found or (None, None)
    return user, password_hash, failures == FREE_FAILURES["account"] + 1


async def confirm(
    database: Database,
    caller: Caller,
    visitor: Visitor,
    password: str | None,
    *,
    always: bool = False,
) -> User:
    """Have the caller show their password once more; gives who they are.

    It is not asked for when there is none, or within fifteen minutes of a sign-in by link.

    Args:
        database: of the attempt, which is counted in a transaction of its own.
        caller: who asks.
        visitor: from where.
        password: what they show.
        always: count an attempt in any case, since more is shown beside the password, and leave
            it counted until whoever asked has seen to the rest.

    Raises:
        PersonNeeded, TooManyFailures.
        CredentialsWrong: it is not right.
    """
    async with database.begin(caller) as tx:
        user = await my_user(tx, caller)
        password_hash = await people.password_hash_of(tx, user.id)
        found = await sessions.find(tx, session_id=caller.session_id)
        by_link = (
            found is not None and found[0].by_link and tx.now - found[0].created_at < SIGN_IN_LINK
        )
    asked = password_hash is not None and not by_link
    if asked or always:
        await attempt(database, visitor, user.label)
    if asked:
        right, _ = await passwords.matches(password or "", password_hash)
        if not right:
            raise CredentialsWrong
    if asked and not always:
        async with database.begin(caller) as tx:
            await take_back(tx, visitor, user.label)
    return user


async def take_back(tx: Tx, visitor: Visitor, email: str | None = None) -> None:
    """Take back an attempt that turned out right, or right as far as it went."""
    if visitor.address:
        await counts.take_back_attempt(tx, "address", visitor.address)
    if email is not None:
        await counts.take_back_attempt(tx, "account", email)


def wait_s(until: datetime, now: datetime) -> int:
    """Give whole seconds to wait, at least one."""
    return max(1, ceil((until - now).total_seconds()))


async def still(tx: Tx, user_id: UUID) -> User | None:
    """Read a user who may have been erased meanwhile."""
    try:
        return await people.get(tx, user_id)
    except UserUnknown:
        return None


def visitor_caller(user: User | None, label: str, visitor: Visitor) -> Caller:
    """Make the caller of an attempt: the person, or nobody with a label."""
    return Caller(
        CallerKind.PERSON,
        user.id if user else NOBODY,
        (user.label if user else label)[:254],
        origin=visitor.address,
    )
