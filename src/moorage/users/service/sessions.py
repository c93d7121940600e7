"""Where people are signed in, for who manages users."""

from __future__ import annotations

from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Tx

from ..errors import SessionUnknown
from ..facts import SessionEnded
from ..model import Session
from ..store import sessions
from .homes import tell
from .people import get, managed


async def sessions_of(tx: Tx, caller: Caller, user_id: UUID) -> list[Session]:
    """List where a user is signed in.

    Raises:
        UserUnknown.
        PermissionMissing: the caller manages the users of none of the person's organisations.
    """
    await get(tx, caller, user_id)
    if user_id != caller.id or caller.is_program:
        await managed(tx, caller, user_id)
    return await sessions.list_of(tx, user_id)


async def end_session(tx: Tx, caller: Caller, user_id: UUID, session_id: UUID) -> None:
    """End one session of a user.

    Raises:
        UserUnknown, SessionUnknown.
        PermissionMissing: the caller manages the users of none of the person's organisations.
    """
    await get(tx, caller, user_id)
    if user_id != caller.id or caller.is_program:
        await managed(tx, caller, user_id)
    if await sessions.remove(tx, session_id, user_id=user_id) is None:
        raise SessionUnknown(id=session_id)
    await tell(tx, SessionEnded, user_id, before={"session": str(session_id)})


async def end_sessions(tx: Tx, caller: Caller, user_id: UUID) -> None:
    """End every session of a user, who may sign in again.

    Raises:
        UserUnknown.
        PermissionMissing: the caller manages the users of none of the person's organisations.
    """
    await get(tx, caller, user_id)
    if user_id != caller.id or caller.is_program:
        await managed(tx, caller, user_id)
    ended = await sessions.remove_all(tx, user_id)
    view = {"sessions": [str(session_id) for session_id in ended]}
    await tell(tx, SessionEnded, user_id, before=view)
