"""Accounts of people of directories: made, linked by what never changes, and kept in step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog

from moorage import users
from moorage.kit.db import Tx
from moorage.organizations import LastAdmin
from moorage.users import EmailTaken, User, UserUnknown

from .. import store as data
from ..errors import AccountUnfit
from ..facts import AccountLinked
from ..model import EVERY_DOMAIN, Account, Entry, NewAccounts, UserStore
from .kinds import key_of

log = structlog.get_logger()


async def account_for(
    tx: Tx, store: UserStore, entry: Entry, groups: frozenset[str], *, wanted: bool = False
) -> Account:
    """Give the account of a person of a directory; made, or linked, where there is none.

    Args:
        tx: the transaction.
        store: whose.
        entry: the person.
        groups: keys of the groups they are in.
        wanted: make one whatever the store says of new accounts.

    Raises:
        AccountUnfit: there is none, and none is to be made.
    """
    await data.lock_entry(tx, store.id, entry.id)
    found = await data.account_for(tx, store.id, entry.id)
    if found is not None:
        try:
            await users.read_account(tx, found.user_id)
        except UserUnknown:
            # Erased here, and still in the directory: who comes back begins anew.
            await data.unlink(tx, found.user_id)
        else:
            return found
    email = believed(store, entry)
    there = await users.find_by_email(tx, email) if email else None
    if there is not None:
        await _refuse_to_link(tx, store, there)
        user = there
    else:
        if not wanted and not _makes_account(store, groups):
            raise AccountUnfit(reason="no account is made for people of none of the mapped groups.")
        user = await users.take_in(
            tx, email=email, name=entry.name, expires_at=entry.expires_at,
            home=store.organization_id,
        )  # fmt: skip
    account = Account(user.id, store.id, entry.id, entry.login, closed=False)
    await data.link(tx, account)
    # Nothing that tells who it is: what an erasure would have to find again.
    told = {"store": str(store.id), "entry": entry.id}
    tx.announce(AccountLinked(user.id, store.organization_id, after=told))
    return account


def believed(store: UserStore, entry: Entry) -> str | None:
    """Give a person's address if the store speaks for its domain."""
    if entry.email is None:
        return None
    domain = entry.email.rpartition("@")[2].lower()
    known = domain in store.domains or EVERY_DOMAIN in store.domains
    return entry.email if known else None


def _makes_account(store: UserStore, groups: frozenset[str]) -> bool:
    if store.new_accounts is NewAccounts.MAPPED:
        return any(key_of(one.group) in groups for one in store.mappings)
    return store.new_accounts is NewAccounts.EVERYBODY


async def _refuse_to_link(tx: Tx, store: UserStore, user: User) -> None:
    """Refuse to give somebody an account that is there already, unless nobody else can use it."""
    if not store.link_by_email:
        reason = "there is one with this e-mail address already."
    elif user.has_password:
        reason = "there is one with this e-mail address and a password of its own."
    elif await data.account_of(tx, user.id) is not None:
        reason = "the one with this e-mail address belongs to another person of a user store."
    elif not user.may_sign_in(tx.now):
        reason = "the one with this e-mail address is closed."
    else:
        return
    raise AccountUnfit(reason=reason)


async def follow(
    tx: Tx, store: UserStore, account: Account, entry: Entry | None, groups: frozenset[str]
) -> bool:
    """Bring an account in step with the directory; tell whether anything changed.

    Args:
        tx: the transaction.
        store: whose.
        account: of the person.
        entry: the person; None if the directory has them no more.
        groups: keys of the groups they are in.
    """
    before = len(tx.announced)
    user = await users.read_account(tx, account.user_id)
    is_open = entry is not None and entry.may_sign_in(tx.now)
    changes: dict[str, Any] = {}
    if entry is not None:
        # An end that has come closes the account; it is not written down, so that a later one
        # opens it.
        changes["name"] = entry.name
        if is_open:
            changes["expires_at"] = entry.expires_at
        if email := believed(store, entry):
            changes["email"] = email
    closed = account.closed
    if not is_open and user.active:
        changes["active"], closed = False, True
    elif is_open and account.closed:
        changes["active"], closed = True, False
    closed = await _write(tx, user, account, changes, closed)
    await data.note(tx, account.user_id, login=entry.login if entry else None, closed=closed)
    await _give(tx, store, account, groups if is_open else frozenset())
    return len(tx.announced) > before


async def _write(
    tx: Tx, user: User, account: Account, changes: dict[str, Any], closed: bool
) -> bool:
    try:
        async with tx.attempt():
            await users.follow(tx, user, changes)
    except EmailTaken:
        log.warning("user_store_address_taken", user_id=str(user.id))
        changes.pop("email")
        return await _write(tx, user, account, changes, closed)
    except LastAdmin:
        # Somebody has to be left who can mend it; the directory lets them in no more, though.
        log.warning("user_store_last_admin", user_id=str(user.id))
        await users.sign_out_everywhere(tx, user.id)
        return account.closed
    return closed


async def _give(tx: Tx, store: UserStore, account: Account, groups: frozenset[str]) -> None:
    """Put somebody into what their groups are mapped to, and out of what they were."""
    wanted = users.mapped_to(store.mappings, groups, key_of)
    given = await users.put_into(tx, account.user_id, wanted, account.given)
    for id_ in sorted(given - account.given):
        await data.note_given(tx, account.user_id, id_)
    for id_ in sorted(account.given - given):
        await data.forget_given(tx, account.user_id, id_)


async def let_go(tx: Tx, store: UserStore) -> None:
    """Take from everybody of a store what it gave, and sign them out."""
    for account in await data.accounts_of(tx, store.id):
        await _give(tx, replace(store, mappings=()), account, frozenset())
        await users.sign_out_everywhere(tx, account.user_id)
