"""Sources: adding, changing, pausing, and what their holder needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from typing import Any
from uuid import UUID

import msgspec

from moorage import devices, groups, organizations
from moorage.devices import CalledBy
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference, merged
from moorage.kit.ids import uuid7
from moorage.kit.outbound import client_context
from moorage.kit.secrets import Sealer
from moorage.organizations import Permission

from .. import store
from ..errors import SourcesTooMany, SourceUnknown
from ..facts import SourceAdded, SourceChanged, SourceRemoved
from ..model import FRONT, MASKED, SHARING, Address, LogEntry, NewSource, Source
from . import notes
from .topics import readers

MOST_SOURCES = 100
# MQTT 5, section 1.5.6.
LONGEST_PASSWORD = 65_535
SECRETS = ("clientKey", "password")
_secrets = msgspec.json.Decoder(dict[str, str])
_UNTOLD = frozenset({"health", "created_at", "updated_at", "created_by", "updated_by"})
# What of a source makes the broker take us for the same client.
_SESSION = ("url", "client_id", "version")


async def add(tx: Tx, caller: Caller, new: NewSource, sealer: Sealer) -> Source:
    """Add a source to an organisation.

    Raises:
        OrganizationUnknown, PermissionMissing, ApplicationUnknown, FieldInvalid, SourceNameTaken,
        SourcesTooMany.
    """
    await to_add(tx, caller, new)
    if await store.count(tx, new.organization_id) >= MOST_SOURCES:
        raise SourcesTooMany(limit=MOST_SOURCES)
    source_id = uuid7()
    source = await store.add(tx, source_id, new, _seal(sealer, source_id, new.secrets))
    tx.announce(SourceAdded(source.id, source.organization_id, after=_view(source)))
    return source


async def to_add(tx: Tx, caller: Caller, new: NewSource) -> None:
    """Check that the caller may add a source, and that it could be one.

    Raises:
        OrganizationUnknown, PermissionMissing, ApplicationUnknown, FieldInvalid.
    """
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    organizations.require(caller, Permission.MANAGE_SOURCES, new.organization_id)
    check(new)
    await _check_inbox(tx, caller, new.organization_id, new.inbox_id)


async def get(tx: Tx, caller: Caller, source_id: UUID, *, lock: bool = False) -> Source:
    """Read a source the caller may see. Raises SourceUnknown."""
    source = await store.get(tx, source_id, lock=lock)
    if not caller.may(Permission.READ_SOURCES, source.organization_id):
        raise SourceUnknown(id=source_id)
    return source


async def to_manage(tx: Tx, caller: Caller, source_id: UUID) -> Source:
    """Read a source the caller may change. Raises SourceUnknown, PermissionMissing."""
    source = await get(tx, caller, source_id)
    organizations.require(caller, Permission.MANAGE_SOURCES, source.organization_id)
    return source


async def list_sources(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Source]:
    """List the sources the caller may see."""
    seen = caller.reach(Permission.READ_SOURCES)
    return await store.list_sources(tx, seen, asked, organization_id=organization_id, q=q)


async def change(
    tx: Tx, caller: Caller, source_id: UUID, changes: Mapping[str, Any], sealer: Sealer
) -> Source:
    """Change a source; of `secrets` None removes one. Its holder connects anew.

    Raises:
        SourceUnknown, PermissionMissing, ApplicationUnknown, FieldInvalid, SourceNameTaken.
    """
    before = await to_manage(tx, caller, source_id)
    wanted = changed(before, await secrets_of(tx, source_id, sealer), changes)
    check(wanted)
    if wanted.inbox_id != before.inbox_id:
        await _check_inbox(tx, caller, before.organization_id, wanted.inbox_id)
    columns = dict(changes)
    patch = columns.pop("secrets", {})
    if patch:
        columns["secret_names"] = sorted(wanted.secrets)
        columns["sealed_secrets"] = _seal(sealer, source_id, wanted.secrets)
    after = await store.change(tx, source_id, columns)
    if any(getattr(before, name) != getattr(after, name) for name in _SESSION):
        await store.forget_sessions(tx, source_id)
    was, now = difference(_view(before), _view(after))
    for name in sorted(patch):
        was[f"secrets.{name}"] = MASKED if name in before.secrets else None
        now[f"secrets.{name}"] = MASKED if name in after.secrets else None
    tx.announce(SourceChanged(source_id, before.organization_id, was, now))
    return after


def changed(source: Source, secrets: Mapping[str, str], changes: Mapping[str, Any]) -> NewSource:
    """Give what would make a source as it is with some changes."""
    kept = {field.name: getattr(source, field.name) for field in fields(NewSource)}
    whole = NewSource(**kept | {"secrets": secrets})
    return replace(
        whole, **dict(changes) | {"secrets": merged(secrets, changes.get("secrets", {}))}
    )


async def pause(tx: Tx, caller: Caller, source_id: UUID, *, paused: bool) -> Source:
    """Stop or go on fetching; what arrives meanwhile waits at the broker, as far as that keeps it.

    Raises:
        SourceUnknown, PermissionMissing.
    """
    before = await to_manage(tx, caller, source_id)
    if before.paused == paused:
        return before
    after = await store.change(tx, source_id, {"paused": paused})
    await notes.forget(tx, before)
    was, now = {"paused": before.paused}, {"paused": paused}
    tx.announce(SourceChanged(source_id, before.organization_id, was, now))
    return after


async def remove(tx: Tx, caller: Caller, source_id: UUID) -> None:
    """Remove a source; devices and what it brought stay.

    Raises:
        SourceUnknown, PermissionMissing.
    """
    before = await to_manage(tx, caller, source_id)
    await notes.forget(tx, before)
    await store.remove(tx, source_id)
    tx.announce(SourceRemoved(source_id, before.organization_id, before=_view(before)))


async def log_of(
    tx: Tx, caller: Caller, source_id: UUID, asked: pages.PageRequest, *, refused: bool = False
) -> pages.Page[LogEntry]:
    """Read a page of a source's log, newest first; with `refused` only what was not taken.

    How payloads begin is for those who may read messages.

    Raises:
        SourceUnknown.
    """
    source = await get(tx, caller, source_id)
    page = await store.list_log(tx, source_id, asked, refused=refused)
    if caller.may(Permission.READ_MESSAGES, source.organization_id):
        return page
    return replace(page, items=[replace(entry, excerpt="") for entry in page.items])


async def signed_in(tx: Tx, arrivals: Mapping[UUID, Collection[int]]) -> None:
    """Note which devices, by number, signed in at which brokers in front; their doors call this."""
    known = set(await devices.known(tx, {number for some in arrivals.values() for number in some}))
    await store.arrivals.came_to(
        tx, {broker_id: known.intersection(some) for broker_id, some in arrivals.items()}
    )


async def left(tx: Tx, broker_id: UUID, numbers: Collection[int]) -> None:
    """Note which devices, by number, left a broker in front; who watches it calls this."""
    await store.arrivals.went_from(tx, broker_id, numbers)


async def login_of(tx: Tx, source_id: UUID, sealer: Sealer) -> tuple[str, str]:
    """Give the user name and the password of a source, for other doors of its broker.

    Raises:
        SourceUnknown.
    """
    source = await store.get(tx, source_id)
    return source.user_name, (await secrets_of(tx, source_id, sealer)).get("password", "")


async def count_by_state(tx: Tx) -> dict[str, int]:
    """Count sources by how they fare; for operators."""
    return await store.count_by_state(tx)


async def trim_log(tx: Tx) -> None:
    """Keep the newest log entries of each source; for the schedule only."""
    await store.trim_log(tx)


# --- Settings and secrets -------------------------------------------------


def check(new: NewSource) -> None:
    """Check what would make a source, without I/O. Raises FieldInvalid."""
    try:
        address = Address.of(new.url)
    except ValueError as wrong:
        raise FieldInvalid("/url", str(wrong)) from wrong
    for name in new.secrets:
        if name not in SECRETS:
            known = ", ".join(SECRETS)
            raise FieldInvalid(f"/secrets/{name}", f"is no secret of a source; there are {known}")
    if len(new.secrets.get("password", "").encode()) > LONGEST_PASSWORD:
        raise FieldInvalid("/secrets/password", f"has at most {LONGEST_PASSWORD} bytes in MQTT")
    if "password" in new.secrets and not new.user_name:
        raise FieldInvalid("/userName", "is needed with a password")
    if not address.tls and (new.authority or new.client_certificate):
        raise FieldInvalid("/url", "must begin with mqtts:// or wss:// where certificates are used")
    client_context(new.authority, new.client_certificate, new.secrets.get("clientKey"), "")
    if (new.called_by is CalledBy.IDENTIFIER) != bool(new.identifier_kind):
        raise FieldInvalid("/identifierKind", "goes with devices that are called by an identifier")
    if new.front is not None and (
        new.subscriptions != FRONT or new.called_by is not CalledBy.ID or new.inbox_id is not None
    ):
        raise FieldInvalid("/subscriptions", "of a broker in front are those of our own door")
    if new.connections > 1 and new.front not in SHARING:
        kinds = ", ".join(sorted(kind.value for kind in SHARING))
        raise FieldInvalid("/connections", f"above 1 are for brokers in front of kind {kinds}")
    readers(new.subscriptions)


async def _check_inbox(
    tx: Tx, caller: Caller, organization_id: UUID | None, inbox_id: UUID | None
) -> None:
    if inbox_id is None:
        return
    application = await groups.get(tx, caller, inbox_id)
    if application.organization_id != organization_id:
        raise FieldInvalid("/inboxId", "must be an application of the source's organization")
    organizations.require(caller, Permission.MANAGE_DEVICES, organization_id, inbox_id)


async def secrets_of(tx: Tx, source_id: UUID, sealer: Sealer) -> dict[str, str]:
    """Open a source's secrets; for connections only."""
    sealed = await store.sealed_secrets(tx, source_id)
    return _secrets.decode(sealer.open(sealed, _context(source_id))) if sealed else {}


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the secrets of all sources with the sealing key that is in use."""
    for source_id, sealed in await store.lock_sealed(tx):
        plain = sealer.open(sealed, _context(source_id))
        await store.put_sealed(tx, source_id, sealer.seal(plain, _context(source_id)))


def _seal(sealer: Sealer, source_id: UUID, secrets: Mapping[str, str]) -> bytes | None:
    return sealer.seal(msgspec.json.encode(secrets), _context(source_id)) if secrets else None


def _context(source_id: UUID) -> str:
    return f"sources.secrets:{source_id}"


def _view(source: Source) -> dict[str, Any]:
    view = {name: value for name, value in asdict(source).items() if name not in _UNTOLD}
    view["secrets"] = dict.fromkeys(source.secrets, MASKED)
    return view
