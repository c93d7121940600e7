"""Devices as a broker of their organisation calls them, and strangers that it names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from moorage import groups
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.organizations import Permission

from .. import store
from ..errors import CalledUnfit, InboxRefuses
from ..model import SENDER, CalledBy, DeviceKind, Naming, Sender, make_identifier
from .inbox import TOO_MANY, let_wait


async def find_called(
    tx: Tx, naming: Naming, name: str, kind: DeviceKind, may_add: Callable[[], bool]
) -> Sender:
    """Recognise a device of an organisation by what it is called there; a stranger may wait.

    Whoever speaks for the devices was trusted with that by their organisation, so a device is
    taken whether or not it has a credential of its own. The state is not judged here.

    Args:
        tx: the transaction.
        naming: how devices are called, and where strangers wait.
        name: who is named.
        kind: what a stranger is taken for.
        may_add: asked before a stranger is let wait.

    Raises:
        CalledUnfit: nobody is called so and may not wait, or several are called so.
    """
    name = name.strip()
    if not name.isprintable() or not 1 <= len(name) <= 200:
        raise CalledUnfit(
            name=ascii(name[:100]), reason="a name has 1 to 200 characters that can be shown."
        )
    found = await _named(tx, naming, name)
    if not found and naming.inbox_id is not None:
        waiting = make_identifier(SENDER, name, str(naming.inbox_id))
        found = await store.called.find_identified(tx, naming, waiting)
    if len(found) > 1:
        raise CalledUnfit(name=name, reason="several devices of the organization are called so.")
    return found[0] if found else await _let_wait(tx, naming, name, kind, may_add)


async def _named(tx: Tx, naming: Naming, name: str) -> list[Sender]:
    if naming.called_by is CalledBy.IDENTIFIER:
        try:
            identifier = make_identifier(naming.identifier_kind, name)
        except ValueError as wrong:
            raise CalledUnfit(name=name, reason=f"{wrong}.") from wrong
        return await store.called.find_identified(tx, naming, identifier)
    if naming.called_by is CalledBy.ID:
        with suppress(ValueError):
            return await store.called.find(tx, naming, UUID(name))
        return []
    return await store.called.find(tx, naming, name)


async def _let_wait(
    tx: Tx, naming: Naming, name: str, kind: DeviceKind, may_add: Callable[[], bool]
) -> Sender:
    if naming.inbox_id is None or naming.organization_id is None:
        raise CalledUnfit(name=name, reason="no device of the organization is called so.")
    if not may_add():
        raise CalledUnfit(name=name, reason=TOO_MANY)
    # The application may have gone to another organisation since it was chosen.
    rights = Grant(frozenset({Permission.READ_APPLICATIONS.value}), naming.organization_id)
    itself = Caller(CallerKind.SYSTEM, naming.credential_id, "source", (rights,))
    try:
        application = await groups.get(tx, itself, naming.inbox_id)
    except groups.ApplicationUnknown as gone:
        reason = "the application where strangers waited is gone."
        raise CalledUnfit(name=name, reason=reason) from gone
    await store.inbox.lock_application(tx, application.id)
    identifier = make_identifier(SENDER, name, str(application.id))
    found = await store.inbox.find_sender(tx, naming.credential_id, identifier)
    if found is None:
        place = naming.organization_id, application.id
        try:
            found = await let_wait(tx, *place, naming.credential_id, identifier, kind)
        except InboxRefuses as refused:
            raise CalledUnfit(name=name, reason=refused.public["reason"]) from refused
    elif found.sender.organization_id != naming.organization_id:
        raise CalledUnfit(name=name, reason="the device has moved to another organization.")
    return found.sender
