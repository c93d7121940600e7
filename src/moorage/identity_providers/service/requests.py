"""Requests for access: asked at the first sign-in, accepted into groups or rejected."""

from __future__ import annotations

from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.mail import Post
from moorage.organizations import Permission
from moorage.users import User, read_account

from ..errors import AccessRequestUnknown
from ..facts import AccessRequestAccepted, AccessRequested, AccessRequestRejected
from ..model import AccessRequest, Provider, Told
from ..store import people
from ..store import providers as provider_store
from ..store import requests as store
from . import accounts
from .letters import Occasion, write


async def ask(tx: Tx, provider: Provider, told: Told) -> AccessRequest:
    """Ask for access in somebody's name, or bring what was asked up to date."""
    asked, is_new = await store.put(tx, provider, told)
    if is_new:
        after = {"provider": str(provider.id)}
        tx.announce(AccessRequested(asked.id, asked.organization_id, after=after))
    return asked


async def get(tx: Tx, caller: Caller, request_id: UUID, *, lock: bool = False) -> AccessRequest:
    """Read a request that waits. Raises AccessRequestUnknown."""
    found = await store.get(tx, request_id, lock=lock)
    if not caller.may(Permission.READ_USERS, found.organization_id):
        raise AccessRequestUnknown(id=request_id)
    return found


async def list_requests(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[AccessRequest]:
    """List the requests that wait in the caller's organisations."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_requests(tx, seen, asked, organization_id=organization_id, q=q)


async def accept(
    tx: Tx, caller: Caller, request_id: UUID, group_ids: tuple[UUID, ...], post: Post
) -> User:
    """Make the account of who asked, in these permission groups, and write to them.

    Raises:
        AccessRequestUnknown, PermissionMissing, PermissionGroupUnknown, GrantTooWide.
        NotLetIn: there is an account with their e-mail address by now.
    """
    found = await get(tx, caller, request_id, lock=True)
    organizations.require(caller, Permission.MANAGE_USERS, found.organization_id)
    for group_id in group_ids:
        await organizations.givable(tx, caller, group_id)
    provider = await provider_store.get(tx, found.provider_id)
    told = Told(found.subject, found.name, found.email, frozenset(found.groups), proven=False)
    await people.lock_subject(tx, provider.id, told.subject)
    person = await people.of_subject(tx, provider.id, told.subject)
    if person is None:
        there = await accounts.linkable(tx, provider, told)
        person = await accounts.link_new(tx, provider, told, there)
    for group_id in group_ids:
        await organizations.admit(tx, group_id, person.user_id)
    await store.remove(tx, request_id)
    after = {
        "provider": str(provider.id),
        "user": str(person.user_id),
        "permission_group_ids": group_ids,
    }
    tx.announce(AccessRequestAccepted(request_id, found.organization_id, after=after))
    await write(tx, post, Occasion.ACCEPTED, found, about_id=person.user_id)
    return await read_account(tx, person.user_id)


async def reject(tx: Tx, caller: Caller, request_id: UUID, post: Post) -> None:
    """Reject a request, and write to who asked; they may ask again after a week.

    Raises:
        AccessRequestUnknown, PermissionMissing.
    """
    found = await get(tx, caller, request_id, lock=True)
    organizations.require(caller, Permission.MANAGE_USERS, found.organization_id)
    await store.reject(tx, request_id)
    after = {"provider": str(found.provider_id)}
    tx.announce(AccessRequestRejected(request_id, found.organization_id, after=after))
    await write(tx, post, Occasion.REJECTED, found, about_id=request_id)
