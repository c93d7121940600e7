"""Let the demo in: an organization of its own and an API key that reaches no further."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import UUID

from moorage import decoders, devices, groups, organizations, targets, users
from moorage.entry.data_directory import demo_wish
from moorage.entry.first_run import in_transaction
from moorage.entry.settings import Settings
from moorage.kit.caller import SYSTEM_ID, Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.pages import PageRequest
from moorage.organizations import NewOrganization, OrganizationUnknown, Permission
from moorage.simulate import (
    DEMO_ORGANIZATION,
    AlreadyRunning,
    State,
    alone,
    forget_state,
    load_state,
    save_state,
)
from moorage.users import NewApiKey

_KEY = "Demo"
_GROUP = "Application administrators"
_OPERATOR = Caller(
    CallerKind.SYSTEM, SYSTEM_ID, "moorage demo", (Grant(frozenset(map(str, Permission))),)
)


def admit(settings: Settings) -> State:
    """Give the demo's state, with an organization and a key that are good.

    Raises:
        DatabaseNotRunning, StateUnreadable.
    """
    known = load_state(settings.data_dir)
    state = in_transaction(settings, lambda tx: let_in(tx, known))
    save_state(settings.data_dir, state)
    return state


def dismiss(settings: Settings) -> int | None:
    """Take the demo away with everything in it; give how many devices went, None without a demo.

    Raises:
        DatabaseNotRunning, StateUnreadable.
        OrganizationInUse: somebody else's things are in its organization.
    """
    known = load_state(settings.data_dir)
    count = in_transaction(settings, lambda tx: clear_away(tx, known))
    forget(settings.data_dir)
    return count


def forget(data_dir: Path) -> None:
    """Drop what is kept of the demo, and the wish to see it."""
    demo_wish(data_dir).unlink(missing_ok=True)
    forget_state(data_dir)


def is_playing(data_dir: Path) -> bool:
    """Tell whether a process of this machine plays the demo."""
    try:
        with alone(data_dir):
            return False
    except AlreadyRunning:
        return True


async def let_in(tx: Tx, known: State | None) -> State:
    """Find or found the demo's organization, and see to a key of it."""
    organization_id = await _find(tx, known)
    if organization_id is None:
        new = NewOrganization(DEMO_ORGANIZATION)
        organization_id = (await organizations.found(tx, _OPERATOR, new)).id
    is_same = known is not None and known.organization_id == str(organization_id)
    if known is not None and is_same and await _has_key(tx, organization_id):
        return known
    key = await _issue(tx, organization_id)
    if known is not None and is_same:
        known.api_key = key
        return known
    return State(organization_id=str(organization_id), api_key=key, began_at=time.time())


async def find(tx: Tx, known: State | None) -> UUID | None:
    """Give the demo's organization; one that merely has its name is not it."""
    found = await _find(tx, known)
    return found if found is not None and await _has_key(tx, found) else None


async def clear_away(tx: Tx, known: State | None) -> int | None:
    """Remove the demo's organization with everything in it; give how many devices went.

    Raises:
        OrganizationInUse: somebody else's things are in it.
    """
    organization_id = await find(tx, known)
    if organization_id is None:
        return None
    every = PageRequest(limit=500)
    page = await targets.list_targets(tx, _OPERATOR, every, organization_id=organization_id)
    for target in page.items:
        await targets.remove(tx, _OPERATOR, target.id)
    count = 0
    wanted = groups.ApplicationFilter(organization_id=organization_id)
    for application in (await groups.list_applications(tx, _OPERATOR, every, wanted)).items:
        count += application.device_count
        await devices.remove_application(tx, _OPERATOR, application.id, with_devices=True)
    own = await decoders.list_decoders(tx, _OPERATOR, every, organization_id=organization_id)
    for decoder in own.items:
        if decoder.organization_id == organization_id:
            await decoders.remove(tx, _OPERATOR, decoder.id)
    await _revoke(tx, organization_id)
    await organizations.dissolve(tx, _OPERATOR, organization_id)
    return count


async def _find(tx: Tx, known: State | None) -> UUID | None:
    if known is not None:
        try:
            found = await organizations.get(tx, _OPERATOR, UUID(known.organization_id))
        except OrganizationUnknown:
            pass
        else:
            return found.id
    asked = PageRequest(limit=100)
    page = await organizations.list_organizations(tx, _OPERATOR, asked, DEMO_ORGANIZATION)
    return next((o.id for o in page.items if o.name == DEMO_ORGANIZATION), None)


async def _has_key(tx: Tx, organization_id: UUID) -> bool:
    asked = PageRequest(limit=100)
    page = await users.list_keys(tx, _OPERATOR, asked, organization_id=organization_id, q=_KEY)
    return any(key.name == _KEY for key in page.items)


async def _revoke(tx: Tx, organization_id: UUID) -> None:
    asked = PageRequest(limit=100)
    page = await users.list_keys(tx, _OPERATOR, asked, organization_id=organization_id)
    for key in page.items:
        if key.name == _KEY:
            await users.revoke_key(tx, _OPERATOR, key.id)


async def _issue(tx: Tx, organization_id: UUID) -> str:
    """Make the key, in place of one whose secret is lost."""
    await _revoke(tx, organization_id)
    asked = PageRequest(limit=100)
    groups = await organizations.list_groups(tx, _OPERATOR, asked, organization_id=organization_id)
    group_ids = tuple(group.id for group in groups.items if group.name == _GROUP)
    _, secret = await users.issue_key(tx, _OPERATOR, NewApiKey(organization_id, _KEY, group_ids))
    return secret
