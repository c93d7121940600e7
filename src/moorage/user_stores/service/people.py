"""People of a directory as user administrators see and, where it may be written, change them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.secrets import Sealer
from moorage.users import User, UserUnknown, read_account, sign_out_everywhere

from .. import store as data
from ..errors import EntryUnknown, UserStoreReadOnly, UserStoreRefused, UserStoreUnreachable
from ..facts import EntryChanged, EntryMade
from ..model import Entry, NewEntry, StoreMode, UserStore
from . import accounts, entries, kinds, registry
from .health import note_failing
from .wire import Access, Declined, Directories, Session, Unreached

T = TypeVar("T")
MOST_SHOWN = 100
_ANSWERS = 4


async def list_entries(
    database: Database,
    caller: Caller,
    store_id: UUID,
    sealer: Sealer,
    directories: Directories,
    q: str,
) -> list[Entry]:
    """Find people in the directory by part of login, name or address, a hundred at most.

    Raises:
        UserStoreUnknown, PermissionMissing, UserStoreUnreachable, UserStoreRefused.
    """
    store, access = await _to_manage(database, caller, store_id, sealer)
    wanted = kinds.by_part(store, q)

    def job(session: Session) -> list[Entry]:
        return list(entries.people(session, store, wanted, MOST_SHOWN))

    found = await _asked(database, directories, store, access, job)
    return sorted(found, key=lambda entry: (entry.name.casefold(), entry.id))


async def give_account(
    database: Database,
    caller: Caller,
    store_id: UUID,
    entry_id: str,
    sealer: Sealer,
    directories: Directories,
) -> User:
    """Make the account of a person before they first sign in, so that it can be given rights.

    Raises:
        UserStoreUnknown, PermissionMissing, EntryUnknown, AccountUnfit, UserStoreUnreachable,
        UserStoreRefused.
    """
    store, access = await _to_manage(database, caller, store_id, sealer)

    def job(session: Session) -> tuple[Entry, frozenset[str]]:
        entry = _known(session, store, entry_id)
        return entry, entries.groups_of(session, store, entry.dn)

    entry, groups = await _asked(database, directories, store, access, job)
    async with database.begin(caller) as tx:
        account = await accounts.account_for(tx, store, entry, groups, wanted=True)
        await accounts.follow(tx, store, account, entry, groups)
        return await read_account(tx, account.user_id)


async def make_entry(
    database: Database,
    caller: Caller,
    store_id: UUID,
    new: NewEntry,
    sealer: Sealer,
    directories: Directories,
) -> Entry:
    """Make a person in the directory.

    Raises:
        UserStoreUnknown, PermissionMissing, UserStoreReadOnly, UserStoreUnreachable,
        UserStoreRefused.
    """
    store, access = await _to_write(database, caller, store_id, sealer)

    def job(session: Session) -> Entry:
        return entries.make(session, store, new)

    made = await _asked(database, directories, store, access, job, once=True)
    async with database.begin(caller) as tx:
        tx.announce(EntryMade(store.id, store.organization_id, after={"entry": made.id}))
    return made


async def change_entry(
    database: Database,
    caller: Caller,
    store_id: UUID,
    entry_id: str,
    changes: Mapping[str, Any],
    sealer: Sealer,
    directories: Directories,
) -> Entry:
    """Change `name`, `email`, `enabled` or `password` of a person in the directory.

    Who is closed by it is out at once; a new password ends the person's sessions.

    Raises:
        UserStoreUnknown, PermissionMissing, EntryUnknown, UserStoreReadOnly,
        UserStoreUnreachable, UserStoreRefused.
        UserStoreShared: people of the store hold permissions beyond what the caller manages.
    """
    store, access = await _to_write(database, caller, store_id, sealer)
    async with database.begin(caller) as tx:
        # Whoever sets a password could sign in as the person.
        await registry.refuse_shared(tx, caller, store, ("password",))

    def job(session: Session) -> tuple[Entry, frozenset[str]]:
        dn = _known(session, store, entry_id).dn
        entry = entries.change(session, store, dn, changes)
        return entry, entries.groups_of(session, store, dn)

    entry, groups = await _asked(database, directories, store, access, job, once=True)
    async with database.begin(caller) as tx:
        after = {"entry": entry.id, "changed": sorted(changes)}
        tx.announce(EntryChanged(store.id, store.organization_id, after=after))
        if account := await data.account_for(tx, store.id, entry.id):
            with contextlib.suppress(UserUnknown):
                await accounts.follow(tx, store, account, entry, groups)
            if "password" in changes:
                await sign_out_everywhere(tx, account.user_id)
    return entry


def _known(session: Session, store: UserStore, entry_id: str) -> Entry:
    entry = entries.find(session, store, kinds.by_id(store, entry_id))
    if entry is None:
        raise EntryUnknown(id=entry_id)
    return entry


async def _to_manage(
    database: Database, caller: Caller, store_id: UUID, sealer: Sealer
) -> tuple[UserStore, Access]:
    async with database.begin(caller) as tx:
        store = await registry.to_manage(tx, caller, store_id)
        return store, await registry.access_of(tx, store, sealer)


async def _to_write(
    database: Database, caller: Caller, store_id: UUID, sealer: Sealer
) -> tuple[UserStore, Access]:
    store, access = await _to_manage(database, caller, store_id, sealer)
    if store.mode is not StoreMode.READ_WRITE:
        raise UserStoreReadOnly(name=store.name)
    return store, access


async def _asked(
    database: Database,
    directories: Directories,
    store: UserStore,
    access: Access,
    job: Callable[[Session], T],
    *,
    once: bool = False,
) -> T:
    try:
        most_s = store.timeout_s * _ANSWERS
        _, found = await directories.work(access, job, most_s=most_s, once=once)
    except Unreached as lost:
        await note_failing(database, store, str(lost))
        raise UserStoreUnreachable(name=store.name, reason=str(lost)) from lost
    except Declined as refused:
        raise UserStoreRefused(reason=str(refused)) from refused
    return found
