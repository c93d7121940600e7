"""The inbox: senders nobody knows wait there until somebody adopts or dismisses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from moorage import groups, organizations
from moorage.kit import pages, secrets
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Permission, QuotaReached

from .. import store
from ..errors import InboxRefuses, NotWaiting
from ..facts import DeviceRemoved, InboxClosed, InboxOpened
from ..model import (
    SENDER,
    Device,
    DeviceFilter,
    DeviceKind,
    DeviceState,
    Identifier,
    Inbox,
    NewDevice,
    Seen,
    Sender,
    ShownInboxKey,
    make_identifier,
)
from . import registry

PREFIX = "mik_"
MOST_WAITING = 1_000
SILENT_FOR = timedelta(days=7)
MOST_DROPPED = 1_000
MOST_SUGGESTED = 3
LONGEST_NAME = 100
TOO_MANY = "too many new senders come at once. Try again later."


async def open_inbox(tx: Tx, caller: Caller, application_id: UUID) -> ShownInboxKey:
    """Give an application an inbox key in place of any before; it is shown this once.

    Raises:
        ApplicationUnknown, PermissionMissing.
    """
    application = await _application(tx, caller, application_id)
    secret = secrets.make_token(PREFIX)
    inbox = await store.inbox.put(
        tx,
        application_id,
        application.organization_id,
        digest=secrets.digest(secret),
        hint=secret[-4:],
    )
    await _cut(tx, application_id)
    told = {"inboxId": inbox.id, "key": "***"}
    tx.announce(InboxOpened(application_id, application.organization_id, after=told))
    return ShownInboxKey(inbox, secret)


async def get_inbox(tx: Tx, caller: Caller, application_id: UUID) -> Inbox:
    """Read what is known of an application's inbox key.

    Raises:
        ApplicationUnknown, PermissionMissing, InboxUnknown.
    """
    await _application(tx, caller, application_id)
    return await store.inbox.get(tx, application_id)


async def close_inbox(tx: Tx, caller: Caller, application_id: UUID) -> None:
    """Take an inbox key back; whoever sends with it is cut off, who waits goes on waiting.

    Raises:
        ApplicationUnknown, PermissionMissing, InboxUnknown.
    """
    application = await _application(tx, caller, application_id)
    inbox = await store.inbox.get(tx, application_id)
    await store.inbox.remove(tx, inbox)
    await _cut(tx, application_id)
    told = {"inboxId": inbox.id}
    tx.announce(InboxClosed(application_id, application.organization_id, before=told))


async def list_waiting(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    organization_id: UUID | None = None,
    application_id: UUID | None = None,
) -> pages.Page[Device]:
    """List who waits where the caller manages devices; who was heard last comes first."""
    wanted = DeviceFilter(
        organization_id=organization_id,
        states=(DeviceState.WAITING,),
        application_ids=() if application_id is None else (application_id,),
    )
    seen = Seen(caller.reach(Permission.MANAGE_DEVICES), frozenset())
    asked = replace(asked, sort=asked.sort or "-lastSeenAt")
    return await store.listing.list_devices(tx, seen, asked, wanted)


async def usual_decoders(tx: Tx, application_ids: Iterable[UUID]) -> Mapping[UUID, list[UUID]]:
    """Tell which decoders applications mostly use; for callers whose access was checked."""
    return await store.inbox.usual_decoders(tx, application_ids, MOST_SUGGESTED)


async def adopt(tx: Tx, caller: Caller, device_id: UUID, changes: Mapping[str, Any]) -> Device:
    """Make a device of who waits; it keeps what it sent, and goes on sending as it does.

    Raises:
        DeviceUnknown, PermissionMissing, NotWaiting, SerialTaken, IdentifierTaken, GatewayUnfit,
        DecoderUnknown.
    """
    await _waiting(tx, caller, device_id)
    given = {**changes, "state": DeviceState.ACTIVE}
    return await registry.change(tx, caller, device_id, given, reason="adopted")


async def dismiss(tx: Tx, caller: Caller, device_id: UUID) -> None:
    """Remove who waits with what it sent; it comes back if it sends again.

    Raises:
        DeviceUnknown, PermissionMissing, NotWaiting.
    """
    await _waiting(tx, caller, device_id)
    await registry.remove(tx, caller, device_id)


async def _waiting(tx: Tx, caller: Caller, device_id: UUID) -> None:
    device = await registry.get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    if device.state is not DeviceState.WAITING:
        raise NotWaiting(id=device_id, state=device.state.value)


async def _application(tx: Tx, caller: Caller, application_id: UUID) -> groups.Application:
    application = await groups.get(tx, caller, application_id)
    place = application.organization_id, application_id
    organizations.require(caller, Permission.MANAGE_DEVICES, *place)
    return application


async def _cut(tx: Tx, application_id: UUID) -> None:
    numbers = await store.inbox.numbers_of(tx, application_id)
    await store.senders.changed(tx, numbers, sender=True)


# --- For doors and the schedule ---------------------------------------------


async def find_inbox(tx: Tx, secret: str) -> Inbox | None:
    """Find whose inbox key a secret is."""
    if not secret.startswith(PREFIX):
        return None
    return await store.inbox.find(tx, secrets.digest(secret))


async def arrive(
    tx: Tx,
    inbox: Inbox,
    name: str,
    kind: DeviceKind,
    may_add: Callable[[], bool],
    *,
    called: str = SENDER,
) -> Sender:
    """Recognise who shows an inbox key and calls himself `name`; a stranger begins to wait.

    A device with a credential of its own must show that instead.

    Args:
        tx: the transaction.
        inbox: whose key was shown.
        name: who the sender says it is.
        kind: what a stranger is taken for.
        may_add: asked before a stranger is let wait.
        called: which kind of identifier the name is: one of this inbox, or a devEui.

    Raises:
        InboxRefuses: with the reason.
    """
    if not name.isprintable():
        raise InboxRefuses(reason="the sender's name has characters that cannot be shown.")
    try:
        network = str(inbox.application_id) if called == SENDER else ""
        identifier = make_identifier(called, name, network)
    except ValueError as wrong:
        raise InboxRefuses(
            reason="nobody says who sends. Set the MQTT client id, or X-Sender in HTTP, to a name "
            "of 1 to 200 characters."
        ) from wrong
    found = await store.inbox.find_sender(tx, inbox.id, identifier)
    if found is None:
        if not may_add():
            raise InboxRefuses(reason=TOO_MANY)
        if not await store.inbox.lock(tx, inbox):
            raise InboxRefuses(reason="it was taken back just now.")
        found = await store.inbox.find_sender(tx, inbox.id, identifier)
    if found is None:
        place = inbox.organization_id, inbox.application_id
        found = await let_wait(tx, *place, inbox.id, identifier, kind)
    if called != SENDER and found.sender.application_id != inbox.application_id:
        raise InboxRefuses(reason=f"the device of this {called} is not in this application.")
    if found.sender.organization_id != inbox.organization_id:
        raise InboxRefuses(reason="the device has moved to another organization.")
    if found.has_credential:
        raise InboxRefuses(reason="the device has a credential of its own and must show that.")
    return found.sender


async def let_wait(
    tx: Tx,
    organization_id: UUID,
    application_id: UUID,
    credential_id: UUID,
    identifier: Identifier,
    kind: DeviceKind,
) -> store.inbox.Found:
    """Let a stranger wait in an application that is locked against others.

    Raises:
        InboxRefuses: there is no room.
    """
    if await store.inbox.count_waiting(tx, application_id) >= MOST_WAITING:
        raise InboxRefuses(reason=f"{MOST_WAITING} senders wait already. Adopt or dismiss some.")
    try:
        await registry.require_room(tx, {application_id: organization_id}, {application_id: 1})
    except QuotaReached as reached:
        raise InboxRefuses(reason=str(reached)) from reached
    new = NewDevice(
        application_id,
        identifier.value[:LONGEST_NAME],
        kind,
        identifiers=(identifier,),
        state=DeviceState.WAITING,
    )
    await store.registry.add(tx, [(organization_id, new)])
    found = await store.inbox.find_sender(tx, credential_id, identifier)
    if found is None:
        raise RuntimeError("A device that was just added is not there.")
    # Feeds take it in; no door knows it yet.
    await store.senders.changed(tx, [found.sender.number], sender=False)
    return found


async def drop_silent(tx: Tx) -> int:
    """Remove who waits and has said nothing for a week; give how many."""
    gone = await store.inbox.silent_since(tx, tx.now - SILENT_FOR, MOST_DROPPED)
    for device in gone:
        await store.registry.remove(tx, device)
        before = registry.view(device) | {"number": device.number}
        tx.announce(DeviceRemoved(device.id, device.organization_id, before=before))
    return len(gone)
