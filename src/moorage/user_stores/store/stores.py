"""User stores: the rows, their mappings and passwords, and which is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, any_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.users import Mapped

from ..errors import UserStoreTaken, UserStoreUnknown
from ..model import (
    EVERY_DOMAIN,
    Health,
    Nesting,
    NewAccounts,
    NewUserStore,
    State,
    StoreKind,
    StoreMode,
    UserStore,
)
from ..tables import (
    user_store_mappings,
    user_store_states,
    user_stores,
)

_PLAIN = tuple(
    c.name
    for c in user_stores.c
    if c.name not in ("kind", "mode", "nesting", "new_accounts", "servers", "domains",
                      "sealed_password")
)  # fmt: skip
_HEALTH = tuple(name for name in Health.__dataclass_fields__ if name != "state")


def _query() -> Select[Any]:
    mappings = (
        select(
            func.jsonb_agg(
                func.jsonb_build_array(
                    user_store_mappings.c.directory_group,
                    user_store_mappings.c.permission_group_id,
                )
            )
        )
        .where(user_store_mappings.c.store_id == user_stores.c.id)
        .correlate(user_stores)
        .scalar_subquery()
        .label("mappings")
    )
    health = [user_store_states.c[name].label(f"health_{name}") for name in ("state", *_HEALTH)]
    return select(user_stores, mappings, *health).outerjoin(
        user_store_states, user_store_states.c.store_id == user_stores.c.id
    )


def _store(row: Any) -> UserStore:
    mapped: dict[str, list[UUID]] = {}
    for group, permission_group_id in sorted(row.mappings or ()):
        mapped.setdefault(group, []).append(UUID(permission_group_id))
    health = Health()
    if row.health_state is not None:
        found = {name: getattr(row, f"health_{name}") for name in _HEALTH}
        health = Health(State(row.health_state), **found)
    return UserStore(
        **{name: getattr(row, name) for name in _PLAIN},
        kind=StoreKind(row.kind),
        mode=StoreMode(row.mode),
        nesting=row.nesting and Nesting(row.nesting),
        new_accounts=NewAccounts(row.new_accounts),
        servers=tuple(row.servers),
        domains=tuple(row.domains),
        mappings=tuple(Mapped(group, tuple(ids)) for group, ids in mapped.items()),
        has_password=row.sealed_password is not None,
        health=health,
    )


async def add(tx: Tx, store_id: UUID, new: NewUserStore, sealed: bytes | None) -> UserStore:
    """Insert `new`. Raises UserStoreTaken."""
    values = {name: getattr(new, name) for name in NewUserStore.__dataclass_fields__}
    mappings = values.pop("mappings")
    values.pop("password")
    statement = (
        insert(user_stores)
        .values(id=store_id, sealed_password=sealed, **_columns(values), **tx.stamp())
        .on_conflict_do_nothing()
        .returning(user_stores.c.id)
    )
    if (await tx.execute(statement)).scalar_one_or_none() is None:
        raise UserStoreTaken(prefix=new.prefix)
    await set_mappings(tx, store_id, mappings)
    return await get(tx, store_id)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


async def set_mappings(tx: Tx, store_id: UUID, mappings: Iterable[Mapped]) -> None:
    """Replace what a store's groups are mapped to."""
    of_store = user_store_mappings.c.store_id == store_id
    await tx.execute(delete(user_store_mappings).where(of_store))
    rows = [
        {"store_id": store_id, "directory_group": one.group, "permission_group_id": id_}
        for one in mappings
        for id_ in one.permission_group_ids
    ]
    if rows:
        await tx.execute(insert(user_store_mappings).values(rows).on_conflict_do_nothing())


async def count(tx: Tx) -> int:
    """Count all stores; nobody adds one until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.user_stores'))")
    number: int = (await tx.execute(select(func.count()).select_from(user_stores))).scalar_one()
    return number


async def get(tx: Tx, store_id: UUID, *, lock: bool = False) -> UserStore:
    """Read one. Raises UserStoreUnknown."""
    query = _query().where(user_stores.c.id == store_id)
    if lock:
        query = query.with_for_update(of=user_stores)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise UserStoreUnknown(id=store_id)
    return _store(row)


async def list_stores(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    q: str | None,
) -> pages.Page[UserStore]:
    """Read a page of what `seen` allows."""
    query = _query()
    if not seen.everywhere:
        query = query.where(user_stores.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(user_stores.c.organization_id == organization_id)
    if q:
        query = query.where(
            or_(
                user_stores.c.name.icontains(q, autoescape=True),
                user_stores.c.prefix.icontains(q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "rank": user_stores.c.rank,
            "name": func.lower(user_stores.c.name),
            "createdAt": user_stores.c.created_at,
        },
        default="rank",
        key=user_stores.c.id,
        read=_store,
    )


async def change(tx: Tx, store_id: UUID, changes: Mapping[str, Any]) -> UserStore:
    """Change columns and mappings. Raises UserStoreUnknown, UserStoreTaken."""
    values = dict(changes)
    mappings = values.pop("mappings", None)
    statement = (
        update(user_stores)
        .where(user_stores.c.id == store_id)
        .values(**_columns(values), **tx.restamp())
    )
    try:
        async with tx.connection.begin_nested():
            await tx.execute(statement)
    except IntegrityError as taken:
        raise UserStoreTaken(prefix=values.get("prefix")) from taken
    if mappings is not None:
        await set_mappings(tx, store_id, mappings)
    return await get(tx, store_id)


async def remove(tx: Tx, store_id: UUID) -> None:
    """Delete one; the accounts of its people stay."""
    await tx.execute(delete(user_stores).where(user_stores.c.id == store_id))


async def sealed_password(tx: Tx, store_id: UUID) -> bytes | None:
    """Read a store's sealed password."""
    query = select(user_stores.c.sealed_password).where(user_stores.c.id == store_id)
    found: bytes | None = (await tx.execute(query)).scalar_one_or_none()
    return found


async def lock_sealed(tx: Tx) -> list[tuple[UUID, bytes]]:
    """Read the sealed passwords of all stores, which nobody changes meanwhile."""
    query = select(user_stores.c.id, user_stores.c.sealed_password).where(
        user_stores.c.sealed_password.is_not(None)
    )
    rows = await tx.execute(query.order_by(user_stores.c.id).with_for_update())
    return [(row.id, row.sealed_password) for row in rows]


async def put_sealed(tx: Tx, store_id: UUID, sealed: bytes) -> None:
    """Replace how a store's password is sealed."""
    await tx.execute(
        update(user_stores).where(user_stores.c.id == store_id).values(sealed_password=sealed)
    )


# --- Signing in -----------------------------------------------------------


async def of_prefix(tx: Tx, prefix: str) -> list[UserStore]:
    """Find the enabled store that a name's prefix means, if there is one."""
    query = _query().where(func.lower(user_stores.c.prefix) == prefix.lower())
    return [_store(row) for row in await tx.execute(query.where(user_stores.c.enabled))]


async def of_domain(tx: Tx, domain: str) -> list[UserStore]:
    """Read the enabled stores that speak for a domain, in the order they are asked."""
    named = or_(
        any_(user_stores.c.domains) == domain.lower(), any_(user_stores.c.domains) == EVERY_DOMAIN
    )
    query = _query().where(named, user_stores.c.enabled)
    rows = await tx.execute(query.order_by(user_stores.c.rank, user_stores.c.id))
    return [_store(row) for row in rows]


async def any_enabled(tx: Tx) -> bool:
    """Tell whether any store is asked at all."""
    query = select(exists().where(user_stores.c.enabled))
    return bool((await tx.execute(query)).scalar_one())
