"""Trying a store out: each step by itself, with what was seen, for the one who sets it up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.errors import MoorageError
from moorage.kit.ids import uuid7
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from ..facts import UserStoreTested
from ..model import Entry, Health, NewUserStore, Server, Step, Trial, UserStore
from . import entries, kinds, registry
from .wire import Access, Declined, Session, Unreached, in_thread

MOST_COUNTED = 1_000
_ANSWERS = 4


async def try_new(
    database: Database,
    caller: Caller,
    new: NewUserStore,
    network: Outbound,
    name: str | None,
    password: str | None,
) -> Trial:
    """Try what would make a store; no transaction is open meanwhile.

    Args:
        database: where it would be.
        caller: who asks.
        new: what would make it.
        network: says which addresses may be connected to.
        name: whom to look for.
        password: signs them in, if it is given.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid.
    """
    store_id = uuid7()
    async with database.begin(caller) as tx:
        await registry.to_add(tx, caller, new)
        about = {"servers": list(new.servers)}
        tx.announce(UserStoreTested(store_id, new.organization_id, after=about))
    store = _store_of(new, store_id)
    return await _try(store, registry.access_with(store, new.password or ""), network,
                      name, password)  # fmt: skip


async def try_change(
    database: Database,
    caller: Caller,
    store_id: UUID,
    changes: Mapping[str, Any],
    sealer: Sealer,
    network: Outbound,
    name: str | None,
    password: str | None,
) -> Trial:
    """Try a store as it would be with some changes; no transaction is open meanwhile.

    Raises:
        UserStoreUnknown, PermissionMissing, FieldInvalid, UserStoreShared.
    """
    async with database.begin(caller) as tx:
        before = await registry.to_manage(tx, caller, store_id)
        # The kept password goes where the changes say.
        await registry.refuse_shared(tx, caller, before, changes)
        wanted = registry.changed(before, changes)
        registry.check(wanted, has_password=before.has_password)
        registry.refuse_to_show_password(before, wanted)
        access = await registry.access_of(tx, before, sealer)
        about = {"servers": list(wanted.servers)}
        tx.announce(UserStoreTested(store_id, before.organization_id, after=about))
    store = _store_of(wanted, store_id)
    secret = changes.get("password", access.password)
    return await _try(store, registry.access_with(store, secret or ""), network, name, password)


def _store_of(new: NewUserStore, store_id: UUID) -> UserStore:
    values = {
        name: getattr(new, name) for name in NewUserStore.__dataclass_fields__ if name != "password"
    }
    now = datetime.now(UTC)
    return UserStore(
        **values, id=store_id, has_password=bool(new.password), health=Health(),
        created_at=now, updated_at=now, created_by=store_id, updated_by=store_id,
    )  # fmt: skip


async def _try(
    store: UserStore, access: Access, network: Outbound, name: str | None, password: str | None
) -> Trial:
    steps: list[Step] = []
    person: Entry | None = None
    groups: tuple[str, ...] = ()
    usable: list[tuple[Server, str]] = []
    for server in access.servers:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(access.timeout_s):
                addresses = await network.resolve(server.host, server.port)
            await in_thread(access, server, addresses[:1], _nothing, most_s=access.timeout_s)
        except (Unreached, MoorageError, TimeoutError) as failed:
            detail = str(failed) or f"{server} cannot be found within {access.timeout_s} s."
            steps.append(Step("connect", False, detail, _ms(began)))
        else:
            usable.append((server, addresses[0]))
            steps.append(Step("connect", True, f"{server} answers over TLS.", _ms(began)))
    if not usable:
        return Trial(False, tuple(steps))

    def look(session: Session) -> None:
        nonlocal person, groups
        began = time.perf_counter()
        whom = access.bind_name or "nobody"
        step = "bind"
        try:
            session.bind_service()
            steps.append(Step("bind", True, f"Signed in as {whom}.", _ms(began)))
            began, step = time.perf_counter(), "people"
            wanted = kinds.everybody(store)
            count = sum(1 for _ in entries.people(session, store, wanted, MOST_COUNTED))
            more = " or more" if count == MOST_COUNTED else ""
            detail = f"{count}{more} people below {store.base}."
            steps.append(Step("people", count > 0, detail, _ms(began)))
            if name:
                began, step = time.perf_counter(), "find"
                person = entries.find(session, store, kinds.by_name(store, name))
                told = f"{name} is {person.dn}." if person else f"Nobody, or several, are {name}."
                steps.append(Step("find", person is not None, told, _ms(began)))
            if person is not None:
                began, step = time.perf_counter(), "groups"
                groups = tuple(sorted(entries.groups_of(session, store, person.dn)))
                steps.append(Step("groups", True, f"In {len(groups)} groups.", _ms(began)))
            if person is not None and password:
                began, step = time.perf_counter(), "signIn"
                session.bind(person.dn, password)
                is_open = person.may_sign_in(datetime.now(UTC))
                told = "The password is right" + (
                    "." if is_open else ", but the directory has closed the account."
                )
                steps.append(Step("signIn", is_open, told, _ms(began)))
        except Declined as refused:
            steps.append(Step(step, False, f"The directory refuses: {refused}", _ms(began)))

    began = time.perf_counter()
    try:
        server, address = usable[0]
        await in_thread(access, server, [address], look, most_s=access.timeout_s * _ANSWERS)
    except Unreached as lost:
        steps.append(Step("ask", False, str(lost), _ms(began)))
    return Trial(all(step.passed for step in steps), tuple(steps), person, groups)


def _nothing(_session: Session) -> None:
    """Connecting is all there is to see."""


def _ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
