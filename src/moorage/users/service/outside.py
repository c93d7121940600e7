"""Accounts of people who are known outside: what user stores say of them is written here.

Nobody asks permission in here; the slice of user stores knows whom it may follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from moorage import organizations
from moorage.kit.db import Tx
from moorage.kit.facts import difference

from ..facts import SessionEnded, UserChanged, UserInvited
from ..model import User
from ..store import people, sessions
from .homes import tell

_TOLD = ("email", "name", "active", "expires_at")


async def take_in(
    tx: Tx, *, email: str | None, name: str, expires_at: datetime | None, home: UUID | None
) -> User:
    """Make an account for somebody who is known outside. Raises EmailTaken."""
    user = await people.add(tx, email=email, name=name, language=None, expires_at=expires_at)
    await tell(tx, UserInvited, user.id, homes=[home], after=_view(user))
    return user


async def find_by_email(tx: Tx, email: str) -> User | None:
    """Find the account with an address."""
    found = await people.find_by_email(tx, email)
    return found[0] if found else None


async def read_account(tx: Tx, user_id: UUID) -> User:
    """Read an account and hold it. Raises UserUnknown."""
    return await people.get(tx, user_id, lock=True)


async def follow(tx: Tx, user: User, changes: Mapping[str, Any]) -> User:
    """Write what is known outside of a person; who may not sign in any more is out at once.

    Raises:
        EmailTaken.
        LastAdmin: nobody would be left to administer the installation.
    """
    changes = {name: value for name, value in changes.items() if getattr(user, name) != value}
    if not changes:
        return user
    after = await people.change(tx, user.id, changes)
    if user.may_sign_in(tx.now) and not after.may_sign_in(tx.now):
        if None in await organizations.homes_of(tx, user.id):
            await organizations.refuse_without_admin(tx)
        await sessions.remove_all(tx, user.id)
    was, now = difference(_view(user), _view(after))
    await tell(tx, UserChanged, user.id, before=was, after=now)
    return after


async def sign_out_everywhere(tx: Tx, user_id: UUID) -> None:
    """End every session of somebody."""
    if ended := await sessions.remove_all(tx, user_id):
        view = {"sessions": [str(session_id) for session_id in ended]}
        await tell(tx, SessionEnded, user_id, before=view)


def _view(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in _TOLD}
