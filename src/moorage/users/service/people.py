"""Users: inviting, changing, erasing, and the links that let them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote
from uuid import UUID

from moorage import organizations
from moorage.kit import mail, pages
from moorage.kit.caller import Caller, CallerKind, Reach
from moorage.kit.db import Tx
from moorage.kit.facts import difference
from moorage.kit.mail import Post
from moorage.kit.secrets import digest, make_token
from moorage.organizations import MemberKind, Permission

from ..errors import (
    InvitationNeeded,
    MailOff,
    PersonNeeded,
    UserOutranks,
    UserShared,
    UserUnknown,
)
from ..facts import LinkMade, UserChanged, UserErased, UserInvited, UserTakenOut
from ..model import INVITATION, SIGN_IN_LINK, Link, LinkKind, NewUser, User
from ..store import counts, factors, invitations, people, sessions
from .homes import tell
from .letters import Occasion, write_to

OWN_FIELDS = frozenset({"name", "language"})


async def get(tx: Tx, caller: Caller, user_id: UUID, *, lock: bool = False) -> User:
    """Read a user who shares an organisation with a user administrator, or oneself.

    Raises:
        UserUnknown: there is none that the caller may see.
    """
    seen = caller.reach(Permission.READ_USERS)
    if user_id != caller.id and not await people.shares_organization(tx, user_id, seen):
        raise UserUnknown(id=user_id)
    return await people.get(tx, user_id, lock=lock)


async def my_user(tx: Tx, caller: Caller) -> User:
    """Read the person who asks. Raises PersonNeeded."""
    if caller.kind is not CallerKind.PERSON or caller.is_program:
        raise PersonNeeded
    return await people.get(tx, caller.id)


async def list_users(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    active: bool | None = None,
    q: str | None = None,
) -> pages.Page[User]:
    """List the users the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    if organization_id is not None and not caller.may(Permission.READ_USERS, organization_id):
        return pages.Page([], None, 0 if asked.total else None)
    return await people.list_users(
        tx, seen, asked, organization_id=organization_id, active=active, q=q
    )


async def add(
    tx: Tx, caller: Caller, new: NewUser, post: Post | None = None
) -> tuple[User, Link | None]:
    """Make a user at once, with a link for seven days; others than GlobalAdmins invite.

    With `post` the link is mailed instead of given.

    Raises:
        MailOff: it is to be mailed, and this installation sends none.
        InvitationNeeded: the caller is no GlobalAdmin.
        EmailTaken, PermissionGroupUnknown, GrantTooWide.
    """
    if not caller.may(Permission.MANAGE_USERS, None):
        raise InvitationNeeded
    if post is not None and not post.works:
        raise MailOff
    user = await people.add(
        tx, email=new.email, name=new.name, language=new.language, expires_at=new.expires_at
    )
    for group_id in new.permission_group_ids:
        await organizations.grant(tx, caller, group_id, MemberKind.USER, user.id)
    view = {**_view(user), "permission_group_ids": new.permission_group_ids}
    await tell(tx, UserInvited, user.id, after=view)
    link = await _make_link(tx, user.id, LinkKind.INVITATION)
    if post is None:
        return user, link
    path = f"/sign-in#token={quote(link.token)}"
    until = link.expires_at
    await write_to(
        tx, post, Occasion.ADDED, user, path=path, holds=INVITATION, until=until,
        inviter=caller.label,
    )  # fmt: skip
    return user, None


async def change(
    tx: Tx, caller: Caller, user_id: UUID, changes: Mapping[str, Any], post: Post
) -> User:
    """Change a user; deactivation and expiry act at once.

    One may change one's own name and language, and give an e-mail address where there is none.

    Raises:
        UserUnknown, PermissionMissing, UserShared, EmailTaken, LastAdmin.
        UserOutranks: the e-mail address of somebody who holds more is not the caller's to change.
    """
    before = await get(tx, caller, user_id)
    own = OWN_FIELDS | (frozenset({"email"}) if before.email is None else frozenset())
    if user_id != caller.id or caller.is_program or not changes.keys() <= own:
        await _require_manage(tx, caller, user_id)
    if changes.get("email", before.email) != before.email:
        await _refuse_outranked(tx, caller, user_id)
    after = await people.change(tx, user_id, changes)
    if before.may_sign_in(tx.now) and not after.may_sign_in(tx.now):
        await _refuse_last_admin(tx, user_id)
        await sessions.remove_all(tx, user_id)
    was, now = difference(_view(before), _view(after))
    await tell(tx, UserChanged, user_id, before=was, after=now)
    if "email" in now:
        # To the address before, whose owner may know nothing of it.
        by, email = caller.label, after.email
        await write_to(tx, post, Occasion.EMAIL_CHANGED, before, inviter=by, email=email)
    return after


async def take_out(tx: Tx, caller: Caller, user_id: UUID, organization_id: UUID) -> None:
    """Take a user out of every permission group of an organisation.

    Raises:
        UserUnknown: the caller sees no such user, or not in this organisation.
        PermissionMissing.
    """
    await get(tx, caller, user_id)
    homes = await organizations.homes_of(tx, user_id)
    if organization_id not in homes or not (
        user_id == caller.id or caller.may(Permission.READ_USERS, organization_id)
    ):
        raise UserUnknown(id=user_id)
    organizations.require(caller, Permission.MANAGE_USERS, organization_id)
    await _leave_groups(tx, caller, user_id, organization_id)
    left = {"organization_id": organization_id}
    await tell(tx, UserTakenOut, user_id, homes=homes, before=left)


async def erase(tx: Tx, caller: Caller, user_id: UUID) -> None:
    """Remove everything personal of a user; the audit keeps a pseudonym.

    Raises:
        UserUnknown, PermissionMissing, UserShared, LastAdmin.
    """
    user = await get(tx, caller, user_id)
    await _require_manage(tx, caller, user_id)
    homes = await organizations.homes_of(tx, user_id)
    await _leave_groups(tx, caller, user_id)
    pseudonym = f"erased user {user_id.hex[-8:]}"
    await people.erase(tx, user, pseudonym)
    await mail.forget(tx, user_id)
    await tell(tx, UserErased, user_id, homes=homes, after={"name": pseudonym})


async def make_link(tx: Tx, caller: Caller, user_id: UUID) -> Link:
    """Make a link that signs a user in once, within fifteen minutes (an invitation: seven days).

    Raises:
        UserUnknown, PermissionMissing, UserShared.
        PersonNeeded: a program cannot let people in.
        UserOutranks: the user holds more than the caller, who would gain it by the link.
    """
    if caller.is_program:
        raise PersonNeeded
    user = await get(tx, caller, user_id)
    await require_account(tx, caller, user_id)
    kind = LinkKind.SIGN_IN if user.signed_in_at else LinkKind.INVITATION
    return await _make_link(tx, user_id, kind)


# --- For the command line and the first start -----------------------------


async def first_link(tx: Tx) -> Link | None:
    """Give a sign-in link while nobody has ever signed in; makes the first user where needed."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.first_user'))")
    user, anybody = await people.first_user(tx)
    if anybody:
        return None
    if user is None:
        user = await people.add(
            tx, email=None, name="Administrator", language="en", expires_at=None
        )
        await organizations.make_first_admin(tx, user.id)
        tx.announce(UserInvited(user.id, after=_view(user)))
    return await _make_link(tx, user.id, LinkKind.SIGN_IN)


async def link_for(tx: Tx, email: str | None) -> tuple[User, Link]:
    """Make a sign-in link for whoever operates the machine.

    Args:
        tx: the transaction.
        email: whose; None is the oldest user.

    Raises:
        UserUnknown: there is no such user.
    """
    user = await by_email(tx, email)
    return user, await _make_link(tx, user.id, LinkKind.SIGN_IN)


async def add_from_command_line(tx: Tx, new: NewUser, *, admin: bool) -> tuple[User, Link]:
    """Make a user, a GlobalAdmin perhaps. Raises EmailTaken."""
    user = await people.add(
        tx, email=new.email, name=new.name, language=new.language, expires_at=new.expires_at
    )
    if admin:
        await organizations.make_first_admin(tx, user.id)
    tx.announce(UserInvited(user.id, after=_view(user)))
    return user, await _make_link(tx, user.id, LinkKind.INVITATION)


async def grant_admin(tx: Tx, email: str) -> User:
    """Make a user a GlobalAdmin. Raises UserUnknown."""
    user = await by_email(tx, email)
    await organizations.make_first_admin(tx, user.id)
    return user


async def deactivate(tx: Tx, email: str) -> User:
    """Close an account at once. Raises UserUnknown, LastAdmin."""
    user = await by_email(tx, email)
    after = await people.change(tx, user.id, {"active": False})
    await _refuse_last_admin(tx, user.id)
    await sessions.remove_all(tx, user.id)
    was, now = difference(_view(user), _view(after))
    await tell(tx, UserChanged, user.id, before=was, after=now)
    return after


async def everybody(tx: Tx, asked: pages.PageRequest) -> pages.Page[User]:
    """List all users, for the command line."""
    seen = Reach(everywhere=True)
    return await people.list_users(tx, seen, asked, organization_id=None, active=None, q=None)


async def clear_away(tx: Tx) -> None:
    """Delete sessions, links, invitations and counts that are over."""
    await sessions.drop_expired(tx)
    await invitations.drop_expired(tx)
    await people.drop_expired_links(tx)
    await factors.drop_expired_challenges(tx)
    await counts.drop_old_wishes(tx)
    await counts.drop_old_failures(tx)


# --- Inside ---------------------------------------------------------------


async def _make_link(tx: Tx, user_id: UUID, kind: LinkKind) -> Link:
    token = make_token("ml_", 32)
    holds = INVITATION if kind is LinkKind.INVITATION else SIGN_IN_LINK
    link = await people.add_link(tx, user_id, kind, token, digest(token), holds)
    after = {"kind": kind.value, "expires_at": link.expires_at, "token": "***"}
    await tell(tx, LinkMade, user_id, after=after)
    return link


async def by_email(tx: Tx, email: str | None) -> User:
    """Find a user by address; None is the oldest. Raises UserUnknown."""
    if email is None:
        user, _ = await people.first_user(tx)
    else:
        found = await people.find_by_email(tx, email)
        user = found[0] if found else None
    if user is None:
        raise UserUnknown(id=email or "yet")
    return user


async def require_account(tx: Tx, caller: Caller, user_id: UUID) -> None:
    """Refuse unless the caller may let somebody in to the account.

    Raises:
        PermissionMissing, UserShared.
        UserOutranks: the user holds more than the caller, who would gain it.
    """
    await _require_manage(tx, caller, user_id)
    await _refuse_outranked(tx, caller, user_id)


async def _require_manage(tx: Tx, caller: Caller, user_id: UUID) -> None:
    """Refuse unless the caller administers the users of every organisation the user is in."""
    if not await managed(tx, caller, user_id):
        raise UserShared


async def managed(tx: Tx, caller: Caller, user_id: UUID) -> bool:
    """Tell whether the caller administers the users of all of a user's organisations, or some.

    Raises:
        PermissionMissing: of none.
    """
    homes = await organizations.homes_of(tx, user_id) or [None]
    # The refusal becomes a fact of an organisation that the caller is in.
    homes.sort(key=lambda home: not caller.may(Permission.READ_USERS, home))
    managed = [home for home in homes if caller.may(Permission.MANAGE_USERS, home)]
    if not managed:
        organizations.require(caller, Permission.MANAGE_USERS, homes[0])
    return len(managed) == len(homes)


async def _leave_groups(
    tx: Tx, caller: Caller, user_id: UUID, organization_id: UUID | None = None
) -> None:
    asked = pages.PageRequest(limit=500)
    groups = await organizations.list_groups(
        tx, caller, asked, organization_id=organization_id, member_id=user_id
    )
    for group in groups.items:
        await organizations.revoke(tx, caller, group.id, MemberKind.USER, user_id)


async def _refuse_outranked(tx: Tx, caller: Caller, user_id: UUID) -> None:
    """Refuse if the user holds anything the caller does not."""
    if user_id == caller.id:
        return
    held = await organizations.grants_held(tx, MemberKind.USER, user_id)
    if (permission := organizations.wider(caller, held)) is not None:
        raise UserOutranks(permission=permission)


async def _refuse_last_admin(tx: Tx, user_id: UUID) -> None:
    """Refuse a change of this user, made just now, that leaves no administrator."""
    if None in await organizations.homes_of(tx, user_id):
        await organizations.refuse_without_admin(tx)


def _view(user: User) -> dict[str, Any]:
    shown = ("email", "name", "language", "active", "expires_at")
    return {k: v for k, v in asdict(user).items() if k in shown}
