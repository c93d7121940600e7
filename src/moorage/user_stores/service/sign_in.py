"""Signing in through user stores: who is asked, in which order, and what an answer means."""

from __future__ import annotations

import asyncio
import contextlib
import time
from uuid import UUID

import structlog

from moorage.kit.db import Database
from moorage.kit.secrets import Sealer
from moorage.users import CredentialsWrong, Known, User, UserUnknown

from .. import store as data
from ..errors import AccountUnfit, UserStoreReadOnly, UserStoreRefused, UserStoreUnreachable
from ..model import Entry, StoreMode, UserStore
from . import accounts, entries, kinds
from .health import note_failing, note_reached
from .registry import access_of
from .wire import Access, Declined, Directories, Session, Unreached

log = structlog.get_logger()
# A refusal takes at least this long while there is any store, whoever was asked or not.
REFUSAL_S = 1.0
# A directory may take so many times what one answer of it may take.
_ANSWERS = 3


class People:
    """The people of all user stores, for the slice of users.

    Args:
        database: where stores and accounts are.
        sealer: opens the stores' passwords.
        directories: the way to them.
        refusal_s: the least a refusal takes, in seconds.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        directories: Directories,
        refusal_s: float = REFUSAL_S,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._directories = directories
        self._refusal_s = refusal_s

    async def authenticate(
        self, name: str, password: str, user: User | None, *, has_password: bool
    ) -> Known:
        """Say whether somebody is who they say, as far as it is for a store to say."""
        async with self._database.begin() as tx:
            account = await data.account_of(tx, user.id) if user else None
            prefix, qualified, rest = name.partition("\\")
            if account is not None:
                asked = [await data.get(tx, account.store_id)]
                asked = [store for store in asked if store.enabled]
            elif qualified:
                asked = await data.of_prefix(tx, prefix)
            elif user is not None and has_password:
                return Known(decided=False)
            else:
                asked = await data.of_domain(tx, name.rpartition("@")[2])
            if user is not None and account is None:
                asked = [store for store in asked if store.link_by_email]
            ways = [(store, await access_of(tx, store, self._sealer)) for store in asked]
        typed = rest if qualified else name
        for store, access in ways:
            wanted = kinds.by_name(store, typed)
            if account is not None:
                wanted = kinds.by_id(store, account.entry_id)
            found, user_id = await self._ask(store, access, wanted, password)
            if found:
                # Who knows the name decides; the password goes to no other directory.
                return Known(decided=True, user_id=user_id)
        return Known(
            decided=account is not None or bool(qualified) or (user is None and bool(ways))
        )

    async def _ask(
        self, store: UserStore, access: Access, wanted: str, password: str
    ) -> tuple[bool, UUID | None]:
        """Ask one store; tell whether it knows the name, and who it is if it lets them in."""

        def job(session: Session) -> tuple[Entry | None, frozenset[str] | None]:
            return entries.authenticate(session, store, wanted, password)

        try:
            most_s = store.timeout_s * _ANSWERS
            server, (entry, groups) = await self._directories.work(access, job, most_s=most_s)
        except (Unreached, Declined) as failed:
            await note_failing(self._database, store, str(failed))
            return False, None
        await note_reached(self._database, store, server)
        if entry is None or groups is None:
            return entry is not None, None
        async with self._database.begin() as tx:
            if not entry.may_sign_in(tx.now):
                if account := await data.account_for(tx, store.id, entry.id):
                    with contextlib.suppress(UserUnknown):
                        await accounts.follow(tx, store, account, entry, groups)
                return True, None
            try:
                account = await accounts.account_for(tx, store, entry, groups)
            except AccountUnfit as unfit:
                log.warning("user_store_account_unfit", store_id=str(store.id), error=str(unfit))
                return True, None
            await accounts.follow(tx, store, account, entry, groups)
        return True, account.user_id

    async def keeps_password_of(self, user_id: UUID) -> bool:
        """Tell whether somebody's password is kept in a store."""
        async with self._database.begin() as tx:
            return await data.account_of(tx, user_id) is not None

    async def change_password(self, user_id: UUID, current: str | None, new: str) -> None:
        """Change the password of somebody of a store, as themselves.

        Raises:
            UserStoreReadOnly, UserStoreUnreachable, UserStoreRefused.
            CredentialsWrong: the current one is wrong, or missing.
        """
        async with self._database.begin() as tx:
            account = await data.account_of(tx, user_id)
            if account is None or not current:
                raise CredentialsWrong
            store = await data.get(tx, account.store_id)
            access = await access_of(tx, store, self._sealer)
        if store.mode is not StoreMode.READ_WRITE:
            raise UserStoreReadOnly(name=store.name)
        wanted = kinds.by_id(store, account.entry_id)

        def job(session: Session) -> bool:
            entry, groups = entries.authenticate(session, store, wanted, current)
            if entry is None or groups is None:
                return False
            session.bind(entry.dn, current)
            entries.set_password(session, store, entry.dn, current, new)
            return True

        try:
            most_s = store.timeout_s * _ANSWERS
            _, done = await self._directories.work(access, job, most_s=most_s, once=True)
        except Unreached as lost:
            raise UserStoreUnreachable(name=store.name, reason=str(lost)) from lost
        except Declined as refused:
            raise UserStoreRefused(reason=str(refused)) from refused
        if not done:
            raise CredentialsWrong

    async def even_out(self, began: float) -> None:
        """Wait until a refusal takes as long as any other, where there is any store."""
        async with self._database.begin() as tx:
            if not await data.any_enabled(tx):
                return
        await asyncio.sleep(max(0.0, began + self._refusal_s - time.monotonic()))
