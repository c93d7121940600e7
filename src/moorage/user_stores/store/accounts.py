"""Whose accounts the people of user stores have, and what mappings gave them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.caller import Reach
from moorage.kit.db import Tx

from ..model import Account, UserStore
from ..tables import user_store_accounts, user_store_given


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
