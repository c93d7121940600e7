"""Let the demo in: an organization of its own and an API key that reaches no further."""

from __future__ import annotations

import time
from uuid import UUID

from moorage import organizations, users
from moorage.entry.first_run import in_transaction
from moorage.entry.settings import Settings
from moorage.kit.caller import SYSTEM_ID, Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.pages import PageRequest
from moorage.organizations import NewOrganization, OrganizationUnknown, Permission
from moorage.simulate import DEMO_ORGANIZATION, State, forget_state, load_state, save_state
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

    async def work(tx: Tx) -> State:
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

    state = in_transaction(settings, work)
    save_state(settings.data_dir, state)
    return state


def dismiss(settings: Settings, state: State) -> None:
    """Take the emptied organization away, and what was kept of it.

    Raises:
        OrganizationInUse: somebody else's things are in it.
    """
    organization_id = UUID(state.organization_id)

    async def work(tx: Tx) -> None:
        await _revoke(tx, organization_id)
        await organizations.dissolve(tx, _OPERATOR, organization_id)

    in_transaction(settings, work)
    forget_state(settings.data_dir)


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
