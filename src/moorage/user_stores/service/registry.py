"""User stores: adding, changing, removing, and who may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from moorage import organizations, users
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.ids import uuid7
from moorage.kit.outbound import client_context
from moorage.kit.secrets import Sealer
from moorage.organizations import Permission
from moorage.users import Mapped

from .. import store as data
from ..errors import UserStoreShared, UserStoresTooMany, UserStoreUnknown
from ..facts import UserStoreAdded, UserStoreChanged, UserStoreRemoved
from ..model import (
    EVERY_DOMAIN,
    MASKED,
    NAME,
    Attributes,
    NewUserStore,
    Server,
    UserStore,
)
from . import kinds
from .accounts import let_go
from .wire import Access

MOST_STORES = 50
SHORTEST_SYNC, LONGEST_SYNC = timedelta(minutes=1), timedelta(days=1)
# Whoever says these could sign in as the store's people.
_DECIDING = frozenset(
    ("kind", "servers", "authority", "bind_name", "base", "user_filter", "attributes", "domains",
     "password", "enabled", "new_accounts", "link_by_email")
)  # fmt: skip
_UNTOLD = frozenset({"health", "created_at", "updated_at", "created_by", "updated_by"})


async def add(tx: Tx, caller: Caller, new: NewUserStore, sealer: Sealer) -> UserStore:
    """Add a store to an organisation, or to the installation.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid, UserStoreTaken, UserStoresTooMany.
    """
    await to_add(tx, caller, new)
    if await data.count(tx) >= MOST_STORES:
        raise UserStoresTooMany(limit=MOST_STORES)
    store_id = uuid7()
    store = await data.add(tx, store_id, new, _seal(sealer, store_id, new.password))
    tx.announce(UserStoreAdded(store.id, store.organization_id, after=_view(store)))
    return store


async def to_add(tx: Tx, caller: Caller, new: NewUserStore) -> None:
    """Check that the caller may add a store, and that it could be one."""
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    organizations.require(caller, Permission.MANAGE_USERS, new.organization_id)
    check(new)
    _check_domains(caller, new.domains)
    await _check_mappings(tx, caller, new.organization_id, new.mappings, ())


async def get(tx: Tx, caller: Caller, store_id: UUID, *, lock: bool = False) -> UserStore:
    """Read a store the caller may see. Raises UserStoreUnknown."""
    store = await data.get(tx, store_id, lock=lock)
    if not caller.may(Permission.READ_USERS, store.organization_id):
        raise UserStoreUnknown(id=store_id)
    return store


async def to_manage(tx: Tx, caller: Caller, store_id: UUID) -> UserStore:
    """Read a store the caller may change. Raises UserStoreUnknown, PermissionMissing."""
    store = await get(tx, caller, store_id)
    organizations.require(caller, Permission.MANAGE_USERS, store.organization_id)
    return store


async def list_stores(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[UserStore]:
    """List the stores the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    return await data.list_stores(tx, seen, asked, organization_id=organization_id, q=q)


async def change(
    tx: Tx, caller: Caller, store_id: UUID, changes: Mapping[str, Any], sealer: Sealer
) -> UserStore:
    """Change a store; of `attributes` None gives the usual one, `mappings` are replaced.

    Raises:
        UserStoreUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid, UserStoreTaken.
        UserStoreShared: its people hold permissions beyond what the caller manages.
    """
    before = await to_manage(tx, caller, store_id)
    wanted = changed(before, changes)
    check(wanted, has_password=before.has_password)
    refuse_to_show_password(before, wanted)
    await refuse_shared(tx, caller, before, changes)
    if set(wanted.domains) - set(before.domains):
        _check_domains(caller, wanted.domains)
    await _check_mappings(tx, caller, before.organization_id, wanted.mappings, before.mappings)
    columns = {name: getattr(wanted, name) for name in changes if name != "password"}
    if "password" in changes:
        columns["sealed_password"] = _seal(sealer, store_id, changes["password"])
    after = await data.change(tx, store_id, columns)
    if {"mappings", "base", "group_base", "nesting", "enabled"} & changes.keys():
        await data.ask_sync(tx, store_id)
    was, now = difference(_view(before), _view(after))
    if "password" in changes:
        was["password"] = MASKED if before.has_password else None
        now["password"] = MASKED if after.has_password else None
    tx.announce(UserStoreChanged(store_id, before.organization_id, was, now))
    return after


async def refuse_shared(tx: Tx, caller: Caller, store: UserStore, changes: Iterable[str]) -> None:
    """Refuse changes by which the caller could become somebody who holds more.

    Raises:
        UserStoreShared.
    """
    managed = caller.reach(Permission.MANAGE_USERS)
    if _DECIDING & set(changes) and await data.homes_beyond(tx, store, managed):
        raise UserStoreShared


def refuse_to_show_password(before: UserStore, wanted: NewUserStore) -> None:
    """Refuse to send a password that is kept to servers it was not given for.

    Raises:
        FieldInvalid: it has to be given again.
    """
    elsewhere = (before.servers, before.authority) != (wanted.servers, wanted.authority)
    if before.has_password and elsewhere and wanted.password is None and wanted.bind_name:
        raise FieldInvalid("/password", "must be given again where servers or authority change")


def changed(store: UserStore, changes: Mapping[str, Any]) -> NewUserStore:
    """Give what would make a store as it is with some changes."""
    names = [field.name for field in fields(NewUserStore) if field.name != "password"]
    whole = NewUserStore(**{name: getattr(store, name) for name in names})
    given = dict(changes)
    if "attributes" in given:
        merged = {**store.attributes, **given["attributes"]}
        given["attributes"] = {name: called for name, called in merged.items() if called}
    return replace(whole, **given)


async def remove(tx: Tx, caller: Caller, store_id: UUID) -> None:
    """Remove a store; its people keep their accounts, without what it gave, and are signed out.

    Raises:
        UserStoreUnknown, PermissionMissing.
    """
    before = await to_manage(tx, caller, store_id)
    await let_go(tx, before)
    await data.remove(tx, store_id)
    tx.announce(UserStoreRemoved(store_id, before.organization_id, before=_view(before)))


async def ask_sync(tx: Tx, caller: Caller, store_id: UUID) -> UserStore:
    """Have people read anew within seconds. Raises UserStoreUnknown, PermissionMissing."""
    store = await to_manage(tx, caller, store_id)
    await data.ask_sync(tx, store_id)
    return store


# --- Inside ---------------------------------------------------------------


def check(new: NewUserStore, *, has_password: bool = False) -> None:
    """Check what would make a store, without I/O. Raises FieldInvalid."""
    for at, url in enumerate(new.servers):
        try:
            Server.of(url)
        except ValueError as wrong:
            raise FieldInvalid(f"/servers/{at}", str(wrong)) from wrong
    client_context(new.authority, None, None, "")
    for pointer, dn in (("/base", new.base), ("/newBase", new.new_base),
                        ("/groupBase", new.group_base)):  # fmt: skip
        if dn and "=" not in dn:
            raise FieldInvalid(pointer, "must be a distinguished name, such as dc=example,dc=org")
    if new.bind_name and not (new.password or has_password):
        raise FieldInvalid("/password", "is needed with a bindName")
    if new.password and not new.bind_name:
        raise FieldInvalid("/bindName", "is needed with a password")
    if new.user_filter and not _is_filter(new.user_filter):
        raise FieldInvalid("/userFilter", f"must be a filter in parentheses with {NAME} in it")
    for name in new.attributes:
        if name not in Attributes.__dataclass_fields__:
            known = ", ".join(Attributes.__dataclass_fields__)
            raise FieldInvalid(f"/attributes/{name}", f"is not told; there are {known}")
    if new.organization_id is not None:
        if EVERY_DOMAIN in new.domains:
            raise FieldInvalid("/domains", "may be all (*) of a store of the installation only")
        if new.link_by_email:
            raise FieldInvalid("/linkByEmail", "is for stores of the installation only")
    if not SHORTEST_SYNC <= new.sync_every <= LONGEST_SYNC:
        raise FieldInvalid("/syncEvery", "must be between PT1M and P1D")


def _is_filter(text: str) -> bool:
    depth = 0
    for at, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth < 0 or (depth == 0 and at < len(text) - 1):
            return False
    return depth == 0 and text.startswith("(") and NAME in text


def _check_domains(caller: Caller, domains: Iterable[str]) -> None:
    """Let GlobalAdmins alone say whose addresses a directory is believed.

    Whoever runs a directory could otherwise give its people anybody's address.
    """
    if list(domains):
        organizations.require(caller, Permission.MANAGE_USERS, None)


async def _check_mappings(
    tx: Tx,
    caller: Caller,
    organization_id: UUID | None,
    wanted: Iterable[Mapped],
    before: Iterable[Mapped],
) -> None:
    for at, one in enumerate(wanted):
        if "=" not in one.group:
            raise FieldInvalid(f"/mappings/{at}/group", "must be a group's distinguished name")
    await users.check_mappings(tx, caller, organization_id, wanted, before, kinds.key_of)


async def access_of(tx: Tx, store: UserStore, sealer: Sealer) -> Access:
    """Open what it takes to get into a store; for connections only."""
    sealed = await data.sealed_password(tx, store.id)
    password = sealer.open(sealed, _context(store.id)).decode() if sealed else ""
    return access_with(store, password)


def access_with(store: UserStore, password: str) -> Access:
    """Give what it takes to get into a store with a password."""
    servers = tuple(Server.of(url) for url in store.servers)
    return Access(
        store.id, store.name, servers, store.authority, store.bind_name, password, store.timeout_s
    )


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the passwords of all stores with the sealing key that is in use."""
    for store_id, sealed in await data.lock_sealed(tx):
        plain = sealer.open(sealed, _context(store_id))
        await data.put_sealed(tx, store_id, sealer.seal(plain, _context(store_id)))


def _seal(sealer: Sealer, store_id: UUID, password: str | None) -> bytes | None:
    return sealer.seal(password.encode(), _context(store_id)) if password else None


def _context(store_id: UUID) -> str:
    return f"user_stores.password:{store_id}"


def _view(store: UserStore) -> dict[str, Any]:
    view = {name: value for name, value in asdict(store).items() if name not in _UNTOLD}
    view["password"] = MASKED if view.pop("has_password") else None
    return view
