"""The only SQL about user stores and whose their people are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, any_, column, delete, exists, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from .errors import UserStoreTaken, UserStoreUnknown
from .model import (
    EVERY_DOMAIN,
    Account,
    Health,
    Mapped,
    Nesting,
    NewAccounts,
    NewUserStore,
    State,
    StoreKind,
    StoreMode,
    UserStore,
)
from .tables import (
    user_store_accounts,
    user_store_given,
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


# --- Accounts -------------------------------------------------------------


def _accounts() -> Select[Any]:
    given = (
        select(func.array_agg(user_store_given.c.permission_group_id))
        .where(user_store_given.c.user_id == user_store_accounts.c.user_id)
        .correlate(user_store_accounts)
        .scalar_subquery()
        .label("given")
    )
    return select(user_store_accounts, given)


def _account(row: Any) -> Account:
    return Account(
        row.user_id, row.store_id, row.entry_id, row.login, row.closed, frozenset(row.given or ())
    )


async def lock_entry(tx: Tx, store_id: UUID, entry_id: str) -> None:
    """Let one transaction at a time make an account of an entry."""
    key = f"moorage.user_store:{store_id}:{entry_id}"
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext(:key))", {"key": key})


async def account_of(tx: Tx, user_id: UUID) -> Account | None:
    """Find which entry of which store an account belongs to."""
    row = (await tx.execute(_accounts().where(user_store_accounts.c.user_id == user_id))).first()
    return None if row is None else _account(row)


async def account_for(tx: Tx, store_id: UUID, entry_id: str) -> Account | None:
    """Find the account of an entry."""
    query = _accounts().where(
        user_store_accounts.c.store_id == store_id, user_store_accounts.c.entry_id == entry_id
    )
    row = (await tx.execute(query)).first()
    return None if row is None else _account(row)


async def accounts_of(tx: Tx, store_id: UUID) -> list[Account]:
    """Read every account of a store."""
    query = _accounts().where(user_store_accounts.c.store_id == store_id)
    return [_account(row) for row in await tx.execute(query)]


async def link(tx: Tx, account: Account) -> None:
    """Say whose account it is."""
    await tx.execute(
        insert(user_store_accounts).values(
            user_id=account.user_id, store_id=account.store_id, entry_id=account.entry_id,
            login=account.login, closed=account.closed, seen_at=tx.now,
        )
    )  # fmt: skip


async def unlink(tx: Tx, user_id: UUID) -> None:
    """Forget whose account it was."""
    of_user = user_store_accounts.c.user_id == user_id
    await tx.execute(delete(user_store_accounts).where(of_user))


async def note(tx: Tx, user_id: UUID, *, login: str | None, closed: bool) -> None:
    """Write down how a person was found in the directory."""
    values: dict[str, Any] = {"closed": closed}
    if login is not None:
        values |= {"login": login, "seen_at": tx.now}
    await tx.execute(
        update(user_store_accounts).where(user_store_accounts.c.user_id == user_id).values(values)
    )


async def note_given(tx: Tx, user_id: UUID, permission_group_id: UUID) -> None:
    """Write down that a mapping put somebody into a group."""
    await tx.execute(
        insert(user_store_given)
        .values(user_id=user_id, permission_group_id=permission_group_id)
        .on_conflict_do_nothing()
    )


async def forget_given(tx: Tx, user_id: UUID, permission_group_id: UUID) -> None:
    """Forget that a mapping put somebody into a group."""
    await tx.execute(
        delete(user_store_given).where(
            user_store_given.c.user_id == user_id,
            user_store_given.c.permission_group_id == permission_group_id,
        )
    )


async def homes_beyond(tx: Tx, store: UserStore, managed: Reach) -> bool:
    """Tell whether somebody of a store belongs where `managed` does not reach.

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
        .join(user_store_accounts, user_store_accounts.c.user_id == members.c.member_id)
        .where(
            members.c.kind == "user",
            user_store_accounts.c.store_id == store.id,
            or_(
                groups.c.organization_id.is_(None),
                groups.c.organization_id.not_in(managed.organization_ids),
            ),
        )
        .limit(1)
    )
    return (await tx.execute(query)).first() is not None


# --- How stores fare ------------------------------------------------------


async def note_state(tx: Tx, store_id: UUID, state: State, server: str, error: str) -> bool:
    """Write down how a store fares; tell whether that is news."""
    states = user_store_states
    new = insert(states).values(
        store_id=store_id, state=state.value, since=tx.now, server=server, error=error[:1_000],
        sync_asked=False, sync_error="", people=0, changed=0,
    )  # fmt: skip
    news = or_(
        states.c.state != new.excluded.state,
        states.c.server != new.excluded.server,
        states.c.error != new.excluded.error,
    )
    written = new.on_conflict_do_update(
        index_elements=[states.c.store_id],
        set_={
            "since": func.coalesce(
                select(states.c.since)
                .where(states.c.store_id == store_id, states.c.state == state.value)
                .scalar_subquery(),
                tx.now,
            ),
            "state": state.value,
            "server": server,
            "error": error[:1_000],
        },
        where=news,
    ).returning(states.c.since)
    return (await tx.execute(written)).first() is not None


async def exists_still(tx: Tx, store_id: UUID) -> bool:
    """Tell whether a store is there, and keep it there until the transaction ends."""
    query = select(user_stores.c.id).where(user_stores.c.id == store_id)
    return (await tx.execute(query.with_for_update(key_share=True))).first() is not None


async def ask_sync(tx: Tx, store_id: UUID) -> None:
    """Have a store's people read anew soon."""
    states = user_store_states
    new = insert(states).values(
        store_id=store_id, state=State.UNTRIED.value, since=tx.now, server="", error="",
        sync_asked=True, sync_error="", people=0, changed=0,
    )  # fmt: skip
    await tx.execute(
        new.on_conflict_do_update(index_elements=[states.c.store_id], set_={"sync_asked": True})
    )


async def due(tx: Tx) -> list[UUID]:
    """Tell whose people are to be read anew now."""
    states = user_store_states
    query = (
        select(user_stores.c.id)
        .outerjoin(states, states.c.store_id == user_stores.c.id)
        .where(
            user_stores.c.enabled,
            or_(
                states.c.sync_asked,
                states.c.synced_at.is_(None),
                states.c.synced_at + user_stores.c.sync_every <= tx.now,
            ),
        )
        .order_by(user_stores.c.id)
    )
    return list((await tx.execute(query)).scalars())


async def note_sync(tx: Tx, store_id: UUID, *, people: int, changed: int, error: str) -> None:
    """Write down how reading a store's people went, and that it was done now."""
    states = user_store_states
    values = {
        "sync_asked": False, "synced_at": tx.now, "sync_error": error[:1_000],
        "people": people, "changed": changed,
    }  # fmt: skip
    new = insert(states).values(
        store_id=store_id, state=State.UNTRIED.value, since=tx.now, server="", error="", **values
    )
    await tx.execute(new.on_conflict_do_update(index_elements=[states.c.store_id], set_=values))
