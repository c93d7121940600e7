"""Clients, and the tokens by which they register themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import Select, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from ..errors import ClientNameTaken, ClientUnknown, RegistrationTokenUnknown
from ..model import (
    LAST_USE,
    CertificateName,
    Client,
    GrantType,
    NameKind,
    NewClient,
    NewRegistrationToken,
    RegistrationToken,
)
from ..tables import clients, registration_tokens

_members = table(
    "permission_group_members", column("permission_group_id"), column("kind"), column("member_id")
)


def read(row: Any) -> Client:
    """Make a client of a row of `query`."""
    values = {f.name: getattr(row, f.name) for f in fields(Client)}
    values["scopes"] = tuple(Permission(s) for s in values["scopes"])
    values["grant_types"] = tuple(GrantType(g) for g in values["grant_types"])
    values["redirect_uris"] = tuple(values["redirect_uris"])
    values["keys"] = tuple(values["keys"])
    values["certificates"] = tuple(values["certificates"])
    if (name := values["certificate_name"]) is not None:
        values["certificate_name"] = CertificateName(NameKind(name["kind"]), name["value"])
    values["permission_group_ids"] = tuple(values["permission_group_ids"] or ())
    return Client(**values)


def query() -> Select[Any]:
    """Ask for clients, without their secrets."""
    groups = (
        select(func.array_agg(_members.c.permission_group_id))
        .where(_members.c.kind == "client", _members.c.member_id == clients.c.id)
        .scalar_subquery()
        .label("permission_group_ids")
    )
    return select(*(c for c in clients.c if not c.name.endswith("digest")), groups)


async def add(tx: Tx, new: NewClient, digest: bytes | None) -> UUID:
    """Insert `new`; its groups are joined by the slice of organisations. Raises ClientNameTaken."""
    client_id = uuid7()
    row = (
        await tx.execute(
            insert(clients)
            .values(
                id=client_id,
                organization_id=new.organization_id,
                name=new.name,
                website=new.website,
                confidential=new.confidential,
                digest=digest,
                grant_types=[g.value for g in new.grant_types],
                redirect_uris=list(new.redirect_uris),
                scopes=[s.value for s in new.scopes],
                keys=[dict(key) for key in new.keys],
                certificate_name=new.certificate_name and asdict(new.certificate_name),
                certificates=list(new.certificates),
                certificate_bound=new.certificate_bound,
                registration_token_id=new.registration_token_id,
                **tx.stamp(),
            )
            .on_conflict_do_nothing(
                index_elements=[clients.c.organization_id, func.lower(clients.c.name)]
            )
            .returning(clients.c.id)
        )
    ).one_or_none()
    if row is None:
        raise ClientNameTaken(name=new.name)
    return client_id


async def find(tx: Tx, client_id: UUID, *, lock: bool = False, hold: bool = False) -> Client | None:
    """Read one; locked against changes, or held against being removed."""
    asked = query().where(clients.c.id == client_id)
    if lock or hold:
        asked = asked.with_for_update(of=clients, read=hold, key_share=hold)
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else read(row)


async def get(tx: Tx, client_id: UUID, *, lock: bool = False) -> Client:
    """Read one. Raises ClientUnknown."""
    found = await find(tx, client_id, lock=lock)
    if found is None:
        raise ClientUnknown(id=client_id)
    return found


async def secret_of(tx: Tx, client_id: UUID) -> bytes | None:
    """Read the digest of a client's secret."""
    asked = select(clients.c.digest).where(clients.c.id == client_id)
    found: bytes | None = (await tx.execute(asked)).scalar_one_or_none()
    return found


async def set_secret(tx: Tx, client_id: UUID, digest: bytes) -> None:
    """Replace a client's secret."""
    await tx.execute(
        update(clients).where(clients.c.id == client_id).values(digest=digest, **tx.restamp())
    )


async def set_registration(tx: Tx, client_id: UUID, digest: bytes) -> None:
    """Keep by what a client that registered itself is known as such."""
    await tx.execute(
        update(clients).where(clients.c.id == client_id).values(registration_digest=digest)
    )


async def find_registered(tx: Tx, digest: bytes) -> Client | None:
    """Read the client that registered itself and was given this token; locked."""
    asked = query().where(clients.c.registration_digest == digest).with_for_update(of=clients)
    row = (await tx.execute(asked)).one_or_none()
    return None if row is None else read(row)


async def touch(tx: Tx, client: Client) -> None:
    """Write down that a client is in use, once a minute at most."""
    if client.used_at is None or tx.now - client.used_at >= LAST_USE:
        await tx.execute(update(clients).where(clients.c.id == client.id).values(used_at=tx.now))


async def list_clients(
    tx: Tx, seen: Reach, asked: pages.PageRequest, *, organization_id: UUID | None, q: str | None
) -> pages.Page[Client]:
    """Read a page of the clients of organisations in `seen`."""
    wanted = query()
    if not seen.everywhere:
        wanted = wanted.where(clients.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        wanted = wanted.where(clients.c.organization_id == organization_id)
    if q:
        wanted = wanted.where(clients.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        wanted,
        asked,
        sorts={"name": func.lower(clients.c.name), "createdAt": clients.c.created_at},
        default="name",
        key=clients.c.id,
        read=read,
    )


async def change(tx: Tx, client_id: UUID, changes: Mapping[str, Any]) -> None:
    """Change fields. Raises ClientNameTaken."""
    values = dict(changes)
    if values.get("certificate_name") is not None:
        values["certificate_name"] = asdict(values["certificate_name"])
    if "certificates" in values:
        values["certificates"] = list(values["certificates"])
    statement = update(clients).where(clients.c.id == client_id)
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement.values(**values, **tx.restamp()))
    except IntegrityError as taken:
        raise ClientNameTaken(name=changes.get("name")) from taken


async def remove(tx: Tx, client_id: UUID) -> None:
    """Delete one, and everything it was allowed."""
    await tx.execute(delete(clients).where(clients.c.id == client_id))


# --- Registration tokens --------------------------------------------------

_TOKEN = [registration_tokens.c[f.name] for f in fields(RegistrationToken)]


def _token(row: Any) -> RegistrationToken:
    values = {f.name: getattr(row, f.name) for f in fields(RegistrationToken)}
    values["scopes"] = tuple(Permission(s) for s in values["scopes"])
    return RegistrationToken(**values)


async def add_token(tx: Tx, new: NewRegistrationToken, digest: bytes) -> RegistrationToken:
    """Insert a registration token."""
    made = await tx.execute(
        insert(registration_tokens)
        .values(
            id=uuid7(),
            organization_id=new.organization_id,
            name=new.name,
            digest=digest,
            scopes=[s.value for s in new.scopes],
            uses_left=new.uses,
            expires_at=new.expires_at,
            **tx.stamp(),
        )
        .returning(*_TOKEN)
    )
    return _token(made.one())


async def use_token(tx: Tx, digest: bytes) -> RegistrationToken | None:
    """Use a registration token that holds, counting it down where it is counted."""
    own = registration_tokens.c
    found = await tx.execute(
        update(registration_tokens)
        .where(own.digest == digest, own.expires_at > tx.now)
        .where(or_(own.uses_left.is_(None), own.uses_left > 0))
        .values(uses_left=own.uses_left - 1)
        .returning(*_TOKEN)
    )
    row = found.one_or_none()
    return None if row is None else _token(row)


async def give_back(tx: Tx, token: RegistrationToken) -> None:
    """Take back that a registration token was used."""
    own = registration_tokens.c
    await tx.execute(
        update(registration_tokens).where(own.id == token.id).values(uses_left=own.uses_left + 1)
    )


async def get_token(tx: Tx, token_id: UUID) -> RegistrationToken:
    """Read one. Raises RegistrationTokenUnknown."""
    asked = select(*_TOKEN).where(registration_tokens.c.id == token_id)
    row = (await tx.execute(asked)).one_or_none()
    if row is None:
        raise RegistrationTokenUnknown(id=token_id)
    return _token(row)


async def list_tokens(
    tx: Tx, seen: Reach, asked: pages.PageRequest, organization_id: UUID | None
) -> pages.Page[RegistrationToken]:
    """Read a page of the registration tokens of organisations in `seen`."""
    own = registration_tokens.c
    wanted = select(*_TOKEN)
    if not seen.everywhere:
        wanted = wanted.where(own.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        wanted = wanted.where(own.organization_id == organization_id)
    return await pages.page(
        tx,
        wanted,
        asked,
        sorts={"name": func.lower(own.name), "createdAt": own.created_at},
        default="name",
        key=own.id,
        read=_token,
    )


async def remove_token(tx: Tx, token_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(registration_tokens).where(registration_tokens.c.id == token_id))


async def drop_expired_tokens(tx: Tx) -> None:
    """Delete registration tokens that hold no more."""
    await tx.execute(delete(registration_tokens).where(registration_tokens.c.expires_at <= tx.now))
