"""Sessions of people whom an identity provider knows.

Nobody is asked for a password here; the slice of identity providers has checked who it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from moorage.kit.db import Tx

from ..errors import CredentialsWrong
from ..facts import SessionEnded, SignInRefused
from ..model import Factor, SessionKind, SignedIn, Visitor
from ..store import sessions
from .attempts import NOBODY, still, visitor_caller
from .homes import tell
from .sign_in import open_session


async def let_in_known(
    tx: Tx, user_id: UUID, visitor: Visitor, *, by: str, proven: bool
) -> SignedIn:
    """Open a console session for somebody whom an identity provider knows.

    Args:
        tx: the transaction.
        user_id: who it is.
        visitor: from where.
        by: how, for the audit.
        proven: whether the provider says that a second factor was shown to it.

    Raises:
        CredentialsWrong: the account is closed or gone.
    """
    user = await still(tx, user_id)
    if user is None or not user.may_sign_in(tx.now):
        raise CredentialsWrong
    tx.caller = visitor_caller(user, by, visitor)
    factor = Factor.ELSEWHERE if proven else None
    return await open_session(tx, user, SessionKind.CONSOLE, visitor, by=by, factor=factor)


async def end_sessions_known(tx: Tx, user_id: UUID, session_ids: Iterable[UUID]) -> list[UUID]:
    """End these sessions of somebody, as an identity provider asks; gives those there were."""
    ended = [
        session_id
        for session_id in session_ids
        if await sessions.remove(tx, session_id, user_id=user_id) is not None
    ]
    if ended:
        view = {"sessions": [str(id_) for id_ in ended], "reason": "identity provider"}
        await tell(tx, SessionEnded, user_id, before=view)
    return ended


async def refuse_known(
    tx: Tx, visitor: Visitor, user_id: UUID | None, by: str, reason: str
) -> None:
    """Announce that somebody could not sign in by an identity provider."""
    refused = {"by": by, "reason": reason, "origin": visitor.address}
    await tell(tx, SignInRefused, user_id or NOBODY, after=refused)
