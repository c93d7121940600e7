"""Reading a store's people anew: who the directory closed is out, and groups follow."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.secrets import Sealer
from moorage.users import UserUnknown

from .. import store as data
from ..errors import UserStoreUnknown
from ..model import Account, Entry, UserStore
from . import accounts, entries, kinds
from .health import note_failing, note_reached
from .registry import access_of
from .wire import Declined, Directories, Session, Unreached

log = structlog.get_logger()
LOOK_EVERY_S = 5.0
# However large the directory is.
MOST_S = 1_800.0


class Keeper:
    """Reads stores anew when it is time; one process at a time runs it.

    Args:
        database: where stores and accounts are.
        sealer: opens the stores' passwords.
        directories: the way to them.
    """

    def __init__(self, database: Database, sealer: Sealer, directories: Directories) -> None:
        self._database = database
        self._sealer = sealer
        self._directories = directories
        self._running: dict[UUID, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Keep people in step until cancelled; a store that hangs keeps no other waiting."""
        try:
            while True:
                try:
                    await self._begin()
                except DatabaseUnavailable as lost:
                    log.warning("user_stores_postponed", error=str(lost))
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _begin(self) -> None:
        self._running = {id_: task for id_, task in self._running.items() if not task.done()}
        async with self._database.begin() as tx:
            due = await data.due(tx)
        for store_id in due:
            if store_id not in self._running:
                self._running[store_id] = asyncio.create_task(self._one(store_id))

    async def _one(self, store_id: UUID) -> None:
        try:
            await self.sync(store_id)
        except DatabaseUnavailable as lost:
            log.warning("user_store_sync_postponed", store_id=str(store_id), error=str(lost))
        except Exception:
            # The other stores must be kept in step whatever one does.
            log.exception("user_store_sync_failed", store_id=str(store_id))

    async def sync(self, store_id: UUID) -> int:
        """Read a store's people now; give the number of accounts that changed.

        What a directory does not say in full changes nobody.
        """
        async with self._database.begin() as tx:
            try:
                store = await data.get(tx, store_id)
            except UserStoreUnknown:
                return 0
            access = await access_of(tx, store, self._sealer)
            known = {account.entry_id: account for account in await data.accounts_of(tx, store_id)}

        def job(session: Session) -> tuple[dict[str, Entry], dict[str, frozenset[str]]]:
            return _read(session, store, known)

        try:
            server, (found, groups) = await self._directories.work(access, job, most_s=MOST_S)
        except (Unreached, Declined) as failed:
            await note_failing(self._database, store, str(failed))
            await self._note(store_id, len(known), 0, str(failed))
            return 0
        await note_reached(self._database, store, server)
        changed = 0
        for entry_id, account in known.items():
            held = groups.get(entry_id, frozenset())
            changed += await self._follow(store, account, found.get(entry_id), held)
        await self._note(store_id, len(known), changed, "")
        return changed

    async def _follow(
        self, store: UserStore, account: Account, entry: Entry | None, groups: frozenset[str]
    ) -> bool:
        async with self._database.begin() as tx:
            # Whoever signed in meanwhile was read later than by us.
            now = await data.account_of(tx, account.user_id)
            if now != account:
                return False
            try:
                return await accounts.follow(tx, store, now, entry, groups)
            except UserUnknown:
                await data.unlink(tx, now.user_id)
                return False

    async def _note(self, store_id: UUID, people: int, changed: int, error: str) -> None:
        async with self._database.begin() as tx:
            if await data.exists_still(tx, store_id):
                await data.note_sync(tx, store_id, people=people, changed=changed, error=error)


def _read(
    session: Session, store: UserStore, known: dict[str, Account]
) -> tuple[dict[str, Entry], dict[str, frozenset[str]]]:
    """Read those who have an account, and in which mapped groups they are."""
    found = {
        entry.id: entry
        for entry in entries.people(session, store, kinds.everybody(store))
        if entry.id in known
    }
    names = {kinds.key_of(entry.dn): entry.id for entry in found.values()}
    return found, entries.members_of_mapped(session, store, store.mappings, names)
