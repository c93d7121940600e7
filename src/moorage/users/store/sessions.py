"""Sessions, refresh tokens and the keys that sign access tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..model import (
    CONSOLE_ABSOLUTE,
    CONSOLE_IDLE,
    LAST_USE,
    REFRESH_ABSOLUTE,
    REFRESH_IDLE,
    Session,
    SessionKind,
    SigningKey,
    User,
    Visitor,
)
from ..tables import user_sessions, user_signing_keys, user_spent_tokens, users
from .people import SHOWN, to_user

HOLDS: dict[SessionKind, tuple[timedelta, timedelta]] = {
    SessionKind.CONSOLE: (CONSOLE_IDLE, CONSOLE_ABSOLUTE),
    SessionKind.TOKEN: (REFRESH_IDLE, REFRESH_ABSOLUTE),
}
_OWN = (
    user_sessions.c.id,
    user_sessions.c.user_id,
    user_sessions.c.kind,
    user_sessions.c.by_link,
    user_sessions.c.proven,
    user_sessions.c.origin,
    user_sessions.c.agent,
    user_sessions.c.created_at,
    user_sessions.c.seen_at,
    user_sessions.c.expires_at,
)


def _session(row: Any, prefix: str = "") -> Session:
    values = {c.name: getattr(row, prefix + c.name) for c in _OWN}
    return Session(**{**values, "kind": SessionKind(values["kind"])})


async def add(
    tx: Tx,
    user_id: UUID,
    kind: SessionKind,
    digest: bytes,
    visitor: Visitor,
    *,
    by_link: bool,
    proven: bool,
) -> Session:
    """Open a session."""
    idle, absolute = HOLDS[kind]
    row = (
        await tx.execute(
            insert(user_sessions)
            .values(
                id=uuid7(),
                user_id=user_id,
                kind=kind.value,
                digest=digest,
                origin=visitor.address,
                agent=visitor.agent,
                by_link=by_link,
                proven=proven,
                created_at=tx.now,
                seen_at=tx.now,
                idle_until=tx.now + idle,
                expires_at=tx.now + absolute,
            )
            .returning(*_OWN)
        )
    ).one()
    return _session(row)


# Made once, since every request asks it.
_now = bindparam("now", type_=DateTime(timezone=True))
_OPEN = (
    select(*(c.label(f"session_{c.name}") for c in _OWN), *SHOWN)
    .join(users, users.c.id == user_sessions.c.user_id)
    .where(user_sessions.c.expires_at > _now, user_sessions.c.idle_until > _now)
    .where(users.c.active, users.c.erased_at.is_(None))
    .where(or_(users.c.expires_at.is_(None), users.c.expires_at > _now))
)
_BY_SECRET = _OPEN.where(user_sessions.c.digest == bindparam("digest"))
_BY_ID = _OPEN.where(user_sessions.c.id == bindparam("id"))


async def find(
    tx: Tx, *, digest: bytes | None = None, session_id: UUID | None = None
) -> tuple[Session, User] | None:
    """Find an open session of an open account, by its secret or by its id."""
    if digest is not None:
        found = await tx.execute(_BY_SECRET, {"now": tx.now, "digest": digest})
    else:
        found = await tx.execute(_BY_ID, {"now": tx.now, "id": session_id})
    row = found.one_or_none()
    return None if row is None else (_session(row, "session_"), to_user(row))


async def touch(tx: Tx, session: Session) -> None:
    """Write down that a session is in use, once a minute at most."""
    if tx.now - session.seen_at < LAST_USE:
        return
    idle = HOLDS[session.kind][0]
    await tx.execute(
        update(user_sessions)
        .where(user_sessions.c.id == session.id)
        .values(seen_at=tx.now, idle_until=tx.now + idle)
    )


async def prove(tx: Tx, session_id: UUID) -> None:
    """Note that a second factor was shown in a session."""
    await tx.execute(
        update(user_sessions).where(user_sessions.c.id == session_id).values(proven=True)
    )


async def list_of(tx: Tx, user_id: UUID) -> list[Session]:
    """List a user's open sessions, the latest used first."""
    rows = await tx.execute(
        select(*_OWN)
        .where(user_sessions.c.user_id == user_id)
        .where(user_sessions.c.expires_at > tx.now, user_sessions.c.idle_until > tx.now)
        .order_by(user_sessions.c.seen_at.desc())
        .limit(500)
    )
    return [_session(row) for row in rows]


async def remove(tx: Tx, session_id: UUID, *, user_id: UUID | None = None) -> Session | None:
    """End a session; with `user_id` only if it is theirs."""
    statement = delete(user_sessions).where(user_sessions.c.id == session_id)
    if user_id is not None:
        statement = statement.where(user_sessions.c.user_id == user_id)
    row = (await tx.execute(statement.returning(*_OWN))).one_or_none()
    return None if row is None else _session(row)


async def remove_all(tx: Tx, user_id: UUID, *, but: UUID | None = None) -> list[UUID]:
    """End every session of a user, but one perhaps; gives their ids."""
    statement = delete(user_sessions).where(user_sessions.c.user_id == user_id)
    if but is not None:
        statement = statement.where(user_sessions.c.id != but)
    rows = await tx.execute(statement.returning(user_sessions.c.id))
    return [row.id for row in rows]


async def drop_expired(tx: Tx) -> None:
    """Delete sessions that are over."""
    await tx.execute(
        delete(user_sessions).where(
            or_(user_sessions.c.expires_at <= tx.now, user_sessions.c.idle_until <= tx.now)
        )
    )


# --- Refresh tokens -------------------------------------------------------


async def exchange(tx: Tx, old: bytes, new: bytes) -> UUID | None:
    """Replace a refresh token; gives its session, or nothing if the token is not the current one.

    The update waits for another exchange of the same token, and then finds it spent.
    """
    row = (
        await tx.execute(
            update(user_sessions)
            .where(
                user_sessions.c.digest == old,
                user_sessions.c.kind == SessionKind.TOKEN.value,
                # One that has rested too long may not be cleared away yet.
                user_sessions.c.expires_at > tx.now,
                user_sessions.c.idle_until > tx.now,
            )
            .values(
                digest=new,
                seen_at=tx.now,
                idle_until=func.least(user_sessions.c.expires_at, tx.now + REFRESH_IDLE),
            )
            .returning(user_sessions.c.id)
        )
    ).one_or_none()
    if row is None:
        return None
    session_id: UUID = row.id
    await tx.execute(insert(user_spent_tokens).values(digest=old, session_id=session_id))
    return session_id


async def spent_by(tx: Tx, digest: bytes) -> UUID | None:
    """Tell which session a spent refresh token belonged to."""
    query = select(user_spent_tokens.c.session_id).where(user_spent_tokens.c.digest == digest)
    return (await tx.execute(query)).scalar_one_or_none()


# --- Signing keys ---------------------------------------------------------


async def signing_keys(tx: Tx) -> list[SigningKey]:
    """Read the signing keys, the oldest first."""
    rows = await tx.execute(select(user_signing_keys).order_by(user_signing_keys.c.id))
    return [SigningKey(**row) for row in rows.mappings()]


async def public_key(tx: Tx, key_id: UUID) -> Mapping[str, Any] | None:
    """Read the public half of a signing key."""
    query = select(user_signing_keys.c.public).where(user_signing_keys.c.id == key_id)
    found: Mapping[str, Any] | None = (await tx.execute(query)).scalar_one_or_none()
    return found


async def remove_signing_key(tx: Tx, key_id: UUID) -> None:
    """Delete a signing key."""
    await tx.execute(delete(user_signing_keys).where(user_signing_keys.c.id == key_id))


async def lock_signing_keys(tx: Tx) -> None:
    """Let only one process at a time make the first key."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.user_signing_keys'))")


async def put_signing_key(tx: Tx, key_id: UUID, sealed: bytes) -> None:
    """Replace how a signing key is sealed."""
    keys = user_signing_keys
    await tx.execute(update(keys).where(keys.c.id == key_id).values(sealed=sealed))


async def add_signing_key(tx: Tx, key: SigningKey) -> None:
    """Store a signing key."""
    await tx.execute(insert(user_signing_keys).values(**asdict(key)))
