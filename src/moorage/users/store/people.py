"""Users, their one-time links and the wrong passwords of late."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    column,
    delete,
    exists,
    func,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.erasing import erase_person
from moorage.kit.ids import uuid7

from ..errors import EmailTaken, UserUnknown
from ..model import (
    Link,
    LinkKind,
    User,
)
from ..tables import (
    user_invitations,
    user_links,
    user_preferences,
    user_sessions,
    user_wishes,
    users,
)
from . import counts, factors

# Membership belongs to the slice of organisations; lists must filter by it within the statement.
_groups = table("permission_groups", column("id"), column("organization_id"))
_members = table(
    "permission_group_members", column("permission_group_id"), column("kind"), column("member_id")
)
SHOWN = (
    users.c.id,
    users.c.email,
    users.c.name,
    users.c.language,
    users.c.active,
    users.c.password_hash.is_not(None).label("has_password"),
    users.c.expires_at,
    users.c.signed_in_at,
    users.c.created_at,
    users.c.updated_at,
    users.c.created_by,
    users.c.updated_by,
)


def to_user(row: Any) -> User:
    """Make the noun of a row of `SHOWN`."""
    return User(**{c.key: getattr(row, c.key) for c in SHOWN})


async def add(
    tx: Tx,
    *,
    email: str | None,
    name: str,
    language: str | None,
    expires_at: datetime | None,
    by: UUID | None = None,
) -> User:
    """Insert a user without a password. Raises EmailTaken."""
    row = (
        await tx.execute(
            insert(users)
            .values(
                id=uuid7(),
                email=email,
                name=name,
                language=language,
                active=True,
                expires_at=expires_at,
                **tx.stamp(by),
            )
            .on_conflict_do_nothing(index_elements=[func.lower(users.c.email)])
            .returning(*SHOWN)
        )
    ).one_or_none()
    if row is None:
        raise EmailTaken(email=email)
    return to_user(row)


async def get(tx: Tx, user_id: UUID, *, lock: bool = False) -> User:
    """Read one that was not erased. Raises UserUnknown."""
    query = _kept().where(users.c.id == user_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise UserUnknown(id=user_id)
    return to_user(row)


async def find_by_email(tx: Tx, email: str) -> tuple[User, str | None] | None:
    """Find by e-mail address in any case; gives the password's hash too."""
    query = select(*SHOWN, users.c.password_hash).where(
        func.lower(users.c.email) == email.lower(), users.c.erased_at.is_(None)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (to_user(row), row.password_hash)


async def password_hash_of(tx: Tx, user_id: UUID) -> str | None:
    """Read the hash of a user's password."""
    query = select(users.c.password_hash).where(users.c.id == user_id)
    return (await tx.execute(query)).scalar_one_or_none()


async def first_user(tx: Tx) -> tuple[User | None, bool]:
    """Give the oldest user, and tell whether anybody has ever signed in."""
    row = (await tx.execute(_kept().order_by(users.c.id).limit(1))).one_or_none()
    # An erased user has signed in or not just like any other.
    anybody = await tx.execute(select(exists().where(users.c.signed_in_at.is_not(None))))
    return (None if row is None else to_user(row)), bool(anybody.scalar_one())


async def list_users(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    active: bool | None,
    q: str | None,
) -> pages.Page[User]:
    """Read a page of the users who share an organisation with `seen`."""
    query = _kept()
    if not seen.everywhere:
        query = query.where(_shares(seen.organization_ids))
    if organization_id is not None:
        query = query.where(_shares(frozenset({organization_id})))
    if active is not None:
        query = query.where(users.c.active.is_(active))
    if q:
        query = query.where(
            or_(
                users.c.name.icontains(q, autoescape=True),
                users.c.email.icontains(q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(users.c.name),
            "email": func.lower(func.coalesce(users.c.email, "")),
            "createdAt": users.c.created_at,
        },
        default="name",
        key=users.c.id,
        read=to_user,
    )


async def shares_organization(tx: Tx, user_id: UUID, seen: Reach) -> bool:
    """Tell whether the user is a member somewhere in `seen`."""
    if seen.everywhere:
        return True
    query = select(exists().where(users.c.id == user_id, _shares(seen.organization_ids)))
    return bool((await tx.execute(query)).scalar_one())


async def change(tx: Tx, user_id: UUID, changes: Mapping[str, Any]) -> User:
    """Change fields. Raises UserUnknown, EmailTaken."""
    statement = (
        update(users)
        .where(users.c.id == user_id, users.c.erased_at.is_(None))
        .values(**changes, **tx.restamp())
        .returning(*SHOWN)
    )
    try:
        async with tx.connection.begin_nested():
            row = (await tx.execute(statement)).one_or_none()
    except IntegrityError as taken:
        raise EmailTaken(email=changes.get("email")) from taken
    if row is None:
        raise UserUnknown(id=user_id)
    return to_user(row)


async def note_sign_in(tx: Tx, user_id: UUID) -> None:
    """Write down when somebody last signed in; no change of the user as such."""
    await tx.execute(update(users).where(users.c.id == user_id).values(signed_in_at=tx.now))


async def set_password(tx: Tx, user_id: UUID, password_hash: str) -> None:
    """Replace the hash of a password."""
    await tx.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(password_hash=password_hash, **tx.restamp())
    )


async def erase(tx: Tx, user: User, pseudonym: str) -> None:
    """Remove everything personal of a user, in the audit too; the pseudonym stays."""
    await tx.execute(
        update(users)
        .where(users.c.id == user.id)
        .values(
            email=None,
            name=pseudonym,
            password_hash=None,
            active=False,
            erased_at=tx.now,
            **tx.restamp(),
        )
    )
    await tx.execute(delete(user_links).where(user_links.c.user_id == user.id))
    await tx.execute(delete(user_sessions).where(user_sessions.c.user_id == user.id))
    await tx.execute(delete(user_preferences).where(user_preferences.c.user_id == user.id))
    await factors.remove_all(tx, user.id)
    invited = user_invitations.c.user_id == user.id
    if user.email is not None:
        await counts.forget_failures(tx, "account", user.email)
        await counts.forget_failures(tx, "resetAccount", user.email)
        await tx.execute(delete(user_wishes).where(user_wishes.c.email == user.email.lower()))
        invited |= func.lower(user_invitations.c.email) == user.email.lower()
    await tx.execute(delete(user_invitations).where(invited))
    await erase_person(tx, user.id, pseudonym, email=user.email)


# --- One-time links -------------------------------------------------------


async def add_link(
    tx: Tx, user_id: UUID, kind: LinkKind, token: str, digest: bytes, holds: timedelta
) -> Link:
    """Store a link's digest; earlier links of the user hold no longer.

    One that anybody can ask for, to reset a password, ends only those of its own kind.
    """
    earlier = delete(user_links).where(user_links.c.user_id == user_id)
    if kind is LinkKind.RESET:
        earlier = earlier.where(user_links.c.kind == kind.value)
    await tx.execute(earlier)
    link = Link(token, kind, tx.now + holds)
    await tx.execute(
        insert(user_links).values(
            digest=digest,
            user_id=user_id,
            kind=kind.value,
            created_at=tx.now,
            expires_at=link.expires_at,
        )
    )
    return link


async def find_link(tx: Tx, digest: bytes, kinds: Collection[LinkKind]) -> UUID | None:
    """Tell whose link of these kinds it is, without using it up."""
    query = select(user_links.c.user_id).where(_holds(tx, digest, kinds))
    return (await tx.execute(query)).scalar_one_or_none()


async def take_link(
    tx: Tx, digest: bytes, kinds: Collection[LinkKind]
) -> tuple[UUID, LinkKind] | None:
    """Use a link up; gives nothing if it was used, replaced, has expired or is of another kind."""
    row = (
        await tx.execute(
            delete(user_links)
            .where(_holds(tx, digest, kinds))
            .returning(user_links.c.user_id, user_links.c.kind)
        )
    ).one_or_none()
    return None if row is None else (row.user_id, LinkKind(row.kind))


async def drop_links(tx: Tx, user_id: UUID) -> None:
    """Delete every link of a user."""
    await tx.execute(delete(user_links).where(user_links.c.user_id == user_id))


def _holds(tx: Tx, digest: bytes, kinds: Collection[LinkKind]) -> ColumnElement[bool]:
    return and_(
        user_links.c.digest == digest,
        user_links.c.expires_at > tx.now,
        user_links.c.kind.in_([kind.value for kind in kinds]),
    )


async def drop_expired_links(tx: Tx) -> None:
    """Delete links that nobody used in time."""
    await tx.execute(delete(user_links).where(user_links.c.expires_at <= tx.now))


def _kept() -> Select[Any]:
    return select(*SHOWN).where(users.c.erased_at.is_(None))


def _shares(organization_ids: frozenset[UUID]) -> ColumnElement[bool]:
    return exists().where(
        _members.c.kind == "user",
        _members.c.member_id == users.c.id,
        _members.c.permission_group_id == _groups.c.id,
        _groups.c.organization_id.in_(organization_ids),
    )
