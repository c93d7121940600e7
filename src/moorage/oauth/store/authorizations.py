"""What clients were allowed, with the codes and refresh tokens that lead there."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Text,
    and_,
    column,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.organizations import Permission

from ..model import (
    LAST_USE,
    REFRESH_IDLE,
    SPENT_CODE,
    Allowed,
    Authorization,
    Code,
    DeviceCode,
    Resource,
)
from ..tables import authorizations, clients, codes, device_codes, spent_assertions, spent_tokens

# The slice of users stands below; what is shown of people here is known by name.
_users = table(
    "users",
    column("id"),
    column("email", Text),
    column("name", Text),
    column("active", Boolean),
    column("expires_at", DateTime(timezone=True)),
    column("erased_at", DateTime(timezone=True)),
)
_AUTHORIZATION = [authorizations.c[f.name] for f in fields(Authorization)]


def _open(tx: Tx) -> ColumnElement[bool]:
    return and_(authorizations.c.expires_at > tx.now, authorizations.c.idle_until > tx.now)


def _words(row: Any, of: type[Any]) -> dict[str, Any]:
    values = {f.name: getattr(row, f.name) for f in fields(of)}
    values["scopes"] = tuple(Permission(s) for s in values["scopes"])
    if "resources" in values:
        values["resources"] = tuple(Resource(r) for r in values["resources"])
    return values


def _columns(of: Authorization | Code | DeviceCode) -> dict[str, Any]:
    values = asdict(of)
    for name in ("scopes", "resources"):
        values[name] = [word.value for word in values[name]]
    return values


def _authorization(row: Any) -> Authorization:
    return Authorization(**_words(row, Authorization))


async def add(
    tx: Tx, made: Authorization, *, idle_until: datetime, refresh_digest: bytes | None
) -> None:
    """Insert an authorisation, with its refresh token if it has one."""
    values = {**_columns(made), "idle_until": idle_until, "refresh_digest": refresh_digest}
    await tx.execute(insert(authorizations).values(**values))


async def find(tx: Tx, authorization_id: UUID) -> Authorization | None:
    """Read one that has not ended."""
    asked = select(*_AUTHORIZATION).where(authorizations.c.id == authorization_id, _open(tx))
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else _authorization(row)


async def find_by_refresh(tx: Tx, digest: bytes, *, lock: bool) -> Authorization | None:
    """Read the one whose refresh token this is now.

    Locked, it waits for another exchange of the same token, and then finds it spent.
    """
    asked = select(*_AUTHORIZATION).where(authorizations.c.refresh_digest == digest, _open(tx))
    row = (await tx.execute(asked.with_for_update() if lock else asked)).one_or_none()
    return None if row is None else _authorization(row)


async def find_by_spent(tx: Tx, digest: bytes) -> Authorization | None:
    """Read the one whose refresh token this was before."""
    asked = (
        select(*_AUTHORIZATION)
        .join(spent_tokens, spent_tokens.c.authorization_id == authorizations.c.id)
        .where(spent_tokens.c.digest == digest)
    )
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else _authorization(row)


async def exchange(tx: Tx, authorization_id: UUID, old: bytes, new: bytes) -> None:
    """Replace a refresh token that was found locked."""
    own = authorizations.c
    await tx.execute(
        update(authorizations)
        .where(own.id == authorization_id)
        .values(
            refresh_digest=new,
            seen_at=tx.now,
            idle_until=func.least(own.expires_at, tx.now + REFRESH_IDLE),
        )
    )
    await tx.execute(insert(spent_tokens).values(digest=old, authorization_id=authorization_id))


async def touch(tx: Tx, authorization: Authorization) -> None:
    """Write down that an authorisation is in use, once a minute at most."""
    if tx.now - authorization.seen_at >= LAST_USE:
        own = authorizations.c
        await tx.execute(
            update(authorizations).where(own.id == authorization.id).values(seen_at=tx.now)
        )


async def remove(tx: Tx, authorization_id: UUID) -> Authorization | None:
    """End one, and every token that came of it; gives it if it was there."""
    gone = await tx.execute(
        delete(authorizations)
        .where(authorizations.c.id == authorization_id)
        .returning(*_AUTHORIZATION)
    )
    row = gone.one_or_none()
    return None if row is None else _authorization(row)


async def remove_own(tx: Tx, client_id: UUID) -> list[Authorization]:
    """End what a client was given as itself; gives what there was."""
    gone = await tx.execute(
        delete(authorizations)
        .where(authorizations.c.client_id == client_id, authorizations.c.user_id.is_(None))
        .returning(*_AUTHORIZATION)
    )
    return [_authorization(row) for row in gone]


async def list_allowed(
    tx: Tx, seen: Reach, own_id: UUID | None, asked: pages.PageRequest, client_id: UUID | None
) -> pages.Page[Allowed]:
    """Read a page of what was allowed in people's names: one's own, and to clients in `seen`."""
    label = func.coalesce(_users.c.email, _users.c.name).label("user_label")
    wanted = (
        select(
            authorizations.c.id,
            authorizations.c.client_id,
            clients.c.name.label("client_name"),
            clients.c.organization_id,
            authorizations.c.user_id,
            label,
            authorizations.c.scopes,
            authorizations.c.created_at,
            authorizations.c.seen_at,
            authorizations.c.expires_at,
        )
        .join(clients, clients.c.id == authorizations.c.client_id)
        .join(_users, _users.c.id == authorizations.c.user_id)
        .where(_open(tx))
    )
    if not seen.everywhere:
        theirs = clients.c.organization_id.in_(seen.organization_ids)
        wanted = wanted.where(or_(theirs, authorizations.c.user_id == own_id))
    if client_id is not None:
        wanted = wanted.where(authorizations.c.client_id == client_id)
    return await pages.page(
        tx,
        wanted,
        asked,
        sorts={"createdAt": authorizations.c.created_at, "seenAt": authorizations.c.seen_at},
        default="-createdAt",
        key=authorizations.c.id,
        read=lambda row: Allowed(**_words(row, Allowed)),
    )


# --- Codes ----------------------------------------------------------------


async def add_code(tx: Tx, code: Code) -> None:
    """Insert a code."""
    await tx.execute(insert(codes).values(**_columns(code)))


async def find_code(tx: Tx, digest: bytes) -> Code | None:
    """Read a code, spent ones too, and hold it: two who show it at once wait for each other."""
    own = [codes.c[f.name] for f in fields(Code)]
    asked = select(*own).where(codes.c.digest == digest).with_for_update()
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else Code(**_words(row, Code))


async def spend_code(tx: Tx, digest: bytes, authorization_id: UUID) -> None:
    """Note what came of a code, which works no more."""
    values = {"authorization_id": authorization_id, "expires_at": tx.now + SPENT_CODE}
    await tx.execute(update(codes).where(codes.c.digest == digest).values(**values))


async def add_device_code(tx: Tx, code: DeviceCode) -> None:
    """Insert what a device waits for."""
    await tx.execute(insert(device_codes).values(**_columns(code)))


async def find_device_code(
    tx: Tx, *, digest: bytes | None = None, user_digest: bytes | None = None
) -> DeviceCode | None:
    """Read what a device waits for, by its own code or by what it shows people, and hold it."""
    own = [device_codes.c[f.name] for f in fields(DeviceCode)]
    asked = select(*own).with_for_update()
    if digest is not None:
        asked = asked.where(device_codes.c.digest == digest)
    else:
        asked = asked.where(device_codes.c.user_digest == user_digest)
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else DeviceCode(**_words(row, DeviceCode))


async def answer_device(
    tx: Tx, digest: bytes, user_id: UUID, *, allowed: bool, proven: bool
) -> None:
    """Note what a person said to a device."""
    values = {"user_id": user_id, "allowed": allowed, "proven": proven}
    await tx.execute(update(device_codes).where(device_codes.c.digest == digest).values(**values))


async def note_poll(tx: Tx, digest: bytes, interval: timedelta) -> None:
    """Note that a device asked, and how long it is to wait from now on."""
    values = {"polled_at": tx.now, "interval": interval}
    await tx.execute(update(device_codes).where(device_codes.c.digest == digest).values(**values))


async def remove_device_code(tx: Tx, digest: bytes) -> None:
    """Delete what a device waited for."""
    await tx.execute(delete(device_codes).where(device_codes.c.digest == digest))


async def spend_assertion(tx: Tx, digest: bytes, expires_at: datetime) -> bool:
    """Remember an assertion until it expires; tell whether it is the first time."""
    values = {"digest": digest, "expires_at": expires_at}
    written = await tx.execute(
        insert(spent_assertions).values(values).on_conflict_do_nothing().returning(literal(1))
    )
    return written.one_or_none() is not None


# --- What is over ---------------------------------------------------------


async def drop_expired(tx: Tx) -> None:
    """Delete what has ended."""
    own = authorizations.c
    await tx.execute(
        delete(authorizations).where(or_(own.expires_at <= tx.now, own.idle_until <= tx.now))
    )
    await tx.execute(delete(codes).where(codes.c.expires_at <= tx.now))
    for table_ in (device_codes, spent_assertions):
        await tx.execute(delete(table_).where(table_.c.expires_at <= tx.now))


async def drop_of_closed_accounts(tx: Tx) -> list[Authorization]:
    """End what people allowed whose account is closed; it is refused since it was."""
    closed = or_(
        _users.c.active.is_(False), _users.c.erased_at.is_not(None), _users.c.expires_at <= tx.now
    )
    gone = await tx.execute(
        delete(authorizations)
        .where(exists().where(_users.c.id == authorizations.c.user_id, closed))
        .returning(*_AUTHORIZATION)
    )
    return [_authorization(row) for row in gone]
