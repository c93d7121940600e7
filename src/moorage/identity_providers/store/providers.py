"""Identity providers: the rows, their mappings and client secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.users import Mapped

from ..errors import ProviderTaken, ProviderUnknown
from ..model import (
    Assurance,
    NewAccounts,
    NewProvider,
    OpenIdConnect,
    Protocol,
    Provider,
    Saml,
    Settings,
    protocol_of,
)
from ..tables import identity_provider_mappings, identity_provider_people, identity_providers

_PLAIN = ("id", "organization_id", "name", "enabled", "offered", "link_by_email",
          "created_at", "updated_at", "created_by", "updated_by")  # fmt: skip
_LISTS = ("required", "proven_by", "domains")


def _query() -> Select[Any]:
    of_provider = identity_provider_mappings.c.provider_id == identity_providers.c.id
    mappings = (
        select(
            func.jsonb_agg(
                func.jsonb_build_array(
                    identity_provider_mappings.c.provider_group,
                    identity_provider_mappings.c.permission_group_id,
                )
            )
        )
        .where(of_provider)
        .correlate(identity_providers)
        .scalar_subquery()
        .label("mappings")
    )
    people = (
        select(func.count())
        .where(identity_provider_people.c.provider_id == identity_providers.c.id)
        .correlate(identity_providers)
        .scalar_subquery()
        .label("people")
    )
    return select(identity_providers, mappings, people)


def _settings(protocol: Protocol, kept: Mapping[str, Any]) -> Settings:
    made = Saml if protocol is Protocol.SAML else OpenIdConnect
    known = {f.name for f in fields(made)}
    values: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in kept.items() if name in known
    }
    if values.get("assurance") is not None:
        values["assurance"] = Assurance(values["assurance"])
    return made(**values)


def _provider(row: Any) -> Provider:
    mapped: dict[str, list[UUID]] = {}
    for group, permission_group_id in sorted(row.mappings or ()):
        mapped.setdefault(group, []).append(UUID(permission_group_id))
    plain: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    lists: dict[str, Any] = {name: tuple(getattr(row, name)) for name in _LISTS}
    return Provider(
        **plain,
        **lists,
        settings=_settings(Protocol(row.protocol), row.settings),
        new_accounts=NewAccounts(row.new_accounts),
        mappings=tuple(Mapped(group, tuple(ids)) for group, ids in mapped.items()),
        has_secret=row.sealed_secret is not None,
        people=row.people,
    )


async def add(tx: Tx, provider_id: UUID, new: NewProvider, sealed: bytes | None) -> Provider:
    """Insert `new`. Raises ProviderTaken."""
    values = {f.name: getattr(new, f.name) for f in fields(NewProvider)}
    mappings = values.pop("mappings")
    values.pop("secret")
    statement = (
        insert(identity_providers)
        .values(
            id=provider_id,
            protocol=protocol_of(new.settings).value,
            sealed_secret=sealed,
            **_columns(values),
            **tx.stamp(),
        )
        .on_conflict_do_nothing()
        .returning(identity_providers.c.id)
    )
    if (await tx.execute(statement)).scalar_one_or_none() is None:
        raise ProviderTaken(name=new.name)
    await set_mappings(tx, provider_id, mappings)
    return await get(tx, provider_id)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    if "settings" in made:
        made["settings"] = asdict(made["settings"])
    return made


async def set_mappings(tx: Tx, provider_id: UUID, mappings: Iterable[Mapped]) -> None:
    """Replace what a provider's groups are mapped to."""
    of_provider = identity_provider_mappings.c.provider_id == provider_id
    await tx.execute(delete(identity_provider_mappings).where(of_provider))
    rows = [
        {"provider_id": provider_id, "provider_group": one.group, "permission_group_id": id_}
        for one in mappings
        for id_ in one.permission_group_ids
    ]
    if rows:
        await tx.execute(insert(identity_provider_mappings).values(rows).on_conflict_do_nothing())


async def count(tx: Tx) -> int:
    """Count all providers; nobody adds one until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.identity_providers'))")
    query = select(func.count()).select_from(identity_providers)
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def get(tx: Tx, provider_id: UUID, *, lock: bool = False) -> Provider:
    """Read one. Raises ProviderUnknown."""
    query = _query().where(identity_providers.c.id == provider_id)
    if lock:
        query = query.with_for_update(of=identity_providers)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise ProviderUnknown(id=provider_id)
    return _provider(row)


async def list_providers(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    q: str | None,
) -> pages.Page[Provider]:
    """Read a page of what `seen` allows."""
    query = _query()
    if not seen.everywhere:
        query = query.where(identity_providers.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(identity_providers.c.organization_id == organization_id)
    if q:
        query = query.where(identity_providers.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "name": func.lower(identity_providers.c.name),
            "createdAt": identity_providers.c.created_at,
        },
        default="name",
        key=identity_providers.c.id,
        read=_provider,
    )


async def offered(tx: Tx) -> list[Provider]:
    """Read what the sign-in page shows to everybody."""
    query = _query().where(identity_providers.c.enabled, identity_providers.c.offered)
    rows = await tx.execute(query.order_by(func.lower(identity_providers.c.name)).limit(20))
    return [_provider(row) for row in rows]


async def of_issuer(tx: Tx, issuer: str) -> list[Provider]:
    """Read the enabled providers of an issuer; several clients of it may be ours."""
    query = _query().where(
        identity_providers.c.enabled, identity_providers.c.settings["issuer"].astext == issuer
    )
    return [_provider(row) for row in await tx.execute(query)]


async def change(tx: Tx, provider_id: UUID, changes: Mapping[str, Any]) -> Provider:
    """Change columns and mappings. Raises ProviderUnknown, ProviderTaken."""
    values = dict(changes)
    mappings = values.pop("mappings", None)
    statement = (
        update(identity_providers)
        .where(identity_providers.c.id == provider_id)
        .values(**_columns(values), **tx.restamp())
    )
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as taken:
        raise ProviderTaken(name=values.get("name")) from taken
    if mappings is not None:
        await set_mappings(tx, provider_id, mappings)
    return await get(tx, provider_id)


async def remove(tx: Tx, provider_id: UUID) -> None:
    """Delete one; the accounts of its people stay."""
    await tx.execute(delete(identity_providers).where(identity_providers.c.id == provider_id))


async def sealed_secret(tx: Tx, provider_id: UUID) -> bytes | None:
    """Read a provider's sealed client secret."""
    query = select(identity_providers.c.sealed_secret)
    query = query.where(identity_providers.c.id == provider_id)
    found: bytes | None = (await tx.execute(query)).scalar_one_or_none()
    return found


async def lock_sealed(tx: Tx) -> list[tuple[UUID, bytes]]:
    """Read the sealed secrets of all providers, which nobody changes meanwhile."""
    query = select(identity_providers.c.id, identity_providers.c.sealed_secret).where(
        identity_providers.c.sealed_secret.is_not(None)
    )
    rows = await tx.execute(query.order_by(identity_providers.c.id).with_for_update())
    return [(row.id, row.sealed_secret) for row in rows]


async def put_sealed(tx: Tx, provider_id: UUID, sealed: bytes) -> None:
    """Replace how a provider's secret is sealed."""
    of_provider = identity_providers.c.id == provider_id
    await tx.execute(update(identity_providers).where(of_provider).values(sealed_secret=sealed))
