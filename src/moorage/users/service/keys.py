"""API keys: made once, shown once, never with more than their maker holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.secrets import digest, make_token
from moorage.organizations import MemberKind, Permission, PermissionGroupUnknown

from ..errors import ApiKeyUnknown, GroupForeign, PersonNeeded
from ..facts import ApiKeyChanged, ApiKeyIssued, ApiKeyRevoked
from ..model import API_KEY_PREFIX, ApiKey, NewApiKey
from ..store import keys as store


async def issue_key(tx: Tx, caller: Caller, new: NewApiKey) -> tuple[ApiKey, str]:
    """Make an API key; its secret is given here and never again.

    Raises:
        PersonNeeded: programs do not make keys.
        OrganizationUnknown, PermissionMissing, PermissionGroupUnknown, GrantTooWide,
        GroupForeign, ApiKeyNameTaken.
        FieldInvalid: it would have expired already.
    """
    _refuse_program(caller)
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    organizations.require(caller, Permission.MANAGE_USERS, new.organization_id)
    if new.expires_at is not None and new.expires_at <= tx.now:
        raise FieldInvalid("/expiresAt", "must lie in the future.")
    secret = make_token(API_KEY_PREFIX, 32)
    key_id = await store.add(tx, new, digest(secret))
    await _join(tx, caller, key_id, new.organization_id, new.permission_group_ids)
    key = await store.get(tx, key_id)
    tx.announce(ApiKeyIssued(key_id, key.organization_id, after=_view(key)))
    return key, secret


async def get_key(tx: Tx, caller: Caller, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """Read an API key, without its secret. Raises ApiKeyUnknown."""
    key = await store.get(tx, key_id, lock=lock)
    if not caller.may(Permission.READ_USERS, key.organization_id):
        raise ApiKeyUnknown(id=key_id)
    return key


async def list_keys(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[ApiKey]:
    """List the API keys the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_keys(tx, seen, asked, organization_id=organization_id, q=q)


async def change_key(tx: Tx, caller: Caller, key_id: UUID, changes: Mapping[str, Any]) -> ApiKey:
    """Change an API key; what it then holds must be the caller's to give.

    Raises:
        ApiKeyUnknown, PersonNeeded, PermissionMissing, PermissionGroupUnknown, GrantTooWide,
        GroupForeign, ApiKeyNameTaken.
    """
    before = await get_key(tx, caller, key_id)
    _refuse_program(caller)
    organizations.require(caller, Permission.MANAGE_USERS, before.organization_id)
    columns = dict(changes)
    wanted = columns.pop("permission_group_ids", before.permission_group_ids)
    if columns.get("scopes") is not None:
        columns["scopes"] = [s.value for s in columns["scopes"]]
    await store.change(tx, key_id, columns)
    for group_id in set(before.permission_group_ids) - set(wanted):
        await _leave(tx, caller, key_id, group_id)
    await _join(tx, caller, key_id, before.organization_id, wanted)
    after = await store.get(tx, key_id)
    was, now = difference(_view(before), _view(after))
    tx.announce(ApiKeyChanged(key_id, before.organization_id, was, now))
    return after


async def revoke_key(tx: Tx, caller: Caller, key_id: UUID) -> None:
    """Remove an API key; it is refused from now on. Raises ApiKeyUnknown, PermissionMissing."""
    key = await get_key(tx, caller, key_id)
    organizations.require(caller, Permission.MANAGE_USERS, key.organization_id)
    for group_id in key.permission_group_ids:
        await _leave(tx, caller, key_id, group_id)
    await store.remove(tx, key_id)
    tx.announce(ApiKeyRevoked(key_id, key.organization_id, before=_view(key)))


async def _join(
    tx: Tx,
    caller: Caller,
    key_id: UUID,
    organization_id: UUID | None,
    group_ids: tuple[UUID, ...],
) -> None:
    """Put a key into groups; those it is in already are checked too."""
    for group_id in group_ids:
        group = await organizations.get_group(tx, caller, group_id)
        if organization_id is not None and group.organization_id != organization_id:
            raise GroupForeign(id=group_id)
        await organizations.grant(tx, caller, group_id, MemberKind.API_KEY, key_id)


async def _leave(tx: Tx, caller: Caller, key_id: UUID, group_id: UUID) -> None:
    try:
        await organizations.revoke(tx, caller, group_id, MemberKind.API_KEY, key_id)
    except PermissionGroupUnknown:
        # A group of another organisation gives a key nothing (see sign_in._program).
        return


def _refuse_program(caller: Caller) -> None:
    if caller.is_program:
        raise PersonNeeded


def _view(key: ApiKey) -> dict[str, Any]:
    shown = ("name", "scopes", "permission_group_ids", "expires_at", "basic")
    return {k: v for k, v in asdict(key).items() if k in shown}
