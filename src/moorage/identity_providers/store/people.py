"""Whose accounts the people of identity providers have, and what mappings gave them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Select, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..model import Person, Session
from ..tables import (
    identity_provider_given,
    identity_provider_people,
    identity_provider_sessions,
)

_people = identity_provider_people
_sessions = identity_provider_sessions


def _query() -> Select[Any]:
    given = (
        select(func.array_agg(identity_provider_given.c.permission_group_id))
        .where(identity_provider_given.c.user_id == _people.c.user_id)
        .correlate(_people)
        .scalar_subquery()
        .label("given")
    )
    return select(_people, given)


def _person(row: Any) -> Person:
    return Person(row.user_id, row.provider_id, row.subject, frozenset(row.given or ()))


async def lock_subject(tx: Tx, provider_id: UUID, subject: str) -> None:
    """Let one transaction at a time make an account of somebody."""
    key = f"moorage.identity_provider:{provider_id}:{subject}"
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))", {"key": key})


async def of_subject(tx: Tx, provider_id: UUID, subject: str) -> Person | None:
    """Find the account of somebody of a provider."""
    query = _query().where(_people.c.provider_id == provider_id, _people.c.subject == subject)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _person(row)


async def of_user(tx: Tx, user_id: UUID) -> Person | None:
    """Find whose account it is at which provider."""
    row = (await tx.execute(_query().where(_people.c.user_id == user_id))).one_or_none()
    return None if row is None else _person(row)


async def of_provider(tx: Tx, provider_id: UUID) -> list[Person]:
    """Read everybody of a provider who has an account."""
    query = _query().where(_people.c.provider_id == provider_id).order_by(_people.c.user_id)
    return [_person(row) for row in await tx.execute(query)]


async def link(tx: Tx, person: Person) -> None:
    """Say whose account it is."""
    await tx.execute(
        insert(_people).values(
            user_id=person.user_id,
            provider_id=person.provider_id,
            subject=person.subject,
            seen_at=tx.now,
        )
    )


async def unlink(tx: Tx, user_id: UUID) -> None:
    """Forget whose account it was."""
    await tx.execute(delete(_people).where(_people.c.user_id == user_id))


async def forget_erased(tx: Tx) -> None:
    """Forget whose accounts were those of people who were erased.

    Who was erased is known to the slice of users; it must be joined within the statement.
    """
    users = table("users", column("id"), column("erased_at"))
    erased = select(users.c.id).where(users.c.erased_at.is_not(None))
    await tx.execute(delete(_people).where(_people.c.user_id.in_(erased)))


async def note_seen(tx: Tx, user_id: UUID) -> None:
    """Write down that somebody came by their provider."""
    await tx.execute(update(_people).where(_people.c.user_id == user_id).values(seen_at=tx.now))


async def set_given(tx: Tx, user_id: UUID, group_ids: Iterable[UUID]) -> None:
    """Replace what mappings gave somebody."""
    of_user = identity_provider_given.c.user_id == user_id
    await tx.execute(delete(identity_provider_given).where(of_user))
    rows = [{"user_id": user_id, "permission_group_id": id_} for id_ in sorted(group_ids)]
    if rows:
        await tx.execute(insert(identity_provider_given).values(rows).on_conflict_do_nothing())


async def homes_beyond(tx: Tx, provider_id: UUID, managed: Reach) -> bool:
    """Tell whether somebody of a provider belongs where `managed` does not reach.

    Membership belongs to the slice of organisations; it must be joined within the statement.
    """
    if managed.everywhere:
        return False
    groups = table("permission_groups", column("id"), column("organization_id"))
    members = table(
        "permission_group_members",
        column("permission_group_id"),
        column("kind"),
        column("member_id"),
    )
    query = (
        select(members.c.member_id)
        .join(groups, groups.c.id == members.c.permission_group_id)
        .join(_people, _people.c.user_id == members.c.member_id)
        .where(
            members.c.kind == "user",
            _people.c.provider_id == provider_id,
            or_(
                groups.c.organization_id.is_(None),
                groups.c.organization_id.not_in(managed.organization_ids),
            ),
        )
        .limit(1)
    )
    return (await tx.execute(query)).first() is not None


# --- Sessions -------------------------------------------------------------


async def add_session(
    tx: Tx,
    session_id: UUID,
    user_id: UUID,
    name: str | None,
    sealed_hint: bytes | None,
    person: bytes | None = None,
) -> None:
    """Write down by which session of a provider one of ours was opened.

    Args:
        tx: the transaction.
        session_id: of ours.
        user_id: whose it is.
        name: of theirs.
        sealed_hint: what the provider wants to see again.
        person: digest of what the provider calls whoever it is, where that is not the subject.
    """
    await tx.execute(
        insert(_sessions).values(
            session_id=session_id,
            user_id=user_id,
            name=name,
            sealed_hint=sealed_hint,
            person=person,
        )
    )


def _session_query() -> Select[Any]:
    return select(_sessions, _people.c.provider_id).join(
        _people, _people.c.user_id == _sessions.c.user_id
    )


def _session(row: Any) -> Session:
    return Session(row.session_id, row.provider_id, row.user_id, row.name, row.sealed_hint)


async def session(tx: Tx, session_id: UUID) -> Session | None:
    """Find by which session of a provider one of ours was opened."""
    found = await tx.execute(_session_query().where(_sessions.c.session_id == session_id))
    row = found.one_or_none()
    return None if row is None else _session(row)


async def sessions_of(
    tx: Tx, provider_id: UUID, subject: str | None, name: str | None
) -> list[Session]:
    """Read the sessions of somebody of a provider, by who it is, by the session there, or both."""
    query = _session_query().where(_people.c.provider_id == provider_id)
    if subject is not None:
        query = query.where(_people.c.subject == subject)
    if name is not None:
        query = query.where(_sessions.c.name == name)
    return [_session(row) for row in await tx.execute(query)]


async def sessions_called(
    tx: Tx, provider_id: UUID, person: bytes, names: Collection[str]
) -> list[Session]:
    """Read the sessions of whom a provider calls so; of these names there, or all if none."""
    query = _session_query().where(
        _people.c.provider_id == provider_id, _sessions.c.person == person
    )
    if names:
        query = query.where(_sessions.c.name.in_(names))
    return [_session(row) for row in await tx.execute(query)]
