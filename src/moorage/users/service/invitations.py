"""Invitations: an organisation asks a person in, who accepts or declines.

The inviter learns nothing of an account that there may be: the answer is the same either way.
"""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from moorage import organizations
from moorage.kit import mail, pages
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import Fact
from moorage.kit.mail import Post
from moorage.kit.secrets import digest, make_token
from moorage.organizations import Permission

from ..errors import (
    AskerGone,
    EmailTaken,
    GroupForeign,
    InvitationUnknown,
    InvitationVoid,
    MailOff,
    PersonNeeded,
)
from ..facts import (
    InvitationAccepted,
    InvitationDeclined,
    InvitationMade,
    InvitationWithdrawn,
)
from ..model import INVITATION, Invitation, Link, LinkKind, NewUser, ReceivedInvitation, User
from ..store import invitations as store
from ..store import people
from .homes import tell
from .letters import Occasion, write
from .people import my_user
from .recognise import act_for


async def invite(
    tx: Tx, caller: Caller, new: NewUser, post: Post, *, by_mail: bool
) -> tuple[Invitation, Link | None]:
    """Ask a person into permission groups of one organisation; an earlier invitation ends.

    The link makes an account for whoever has none. Who has one is not let in by it, but accepts
    the invitation signed in. Mailed, the link is for their eyes only: it proves the address.

    Raises:
        PersonNeeded: an OAuth client asks as itself.
        MailOff: it is to be mailed, and this installation sends none.
        EmailTaken: the caller sees a user with this address already.
        FieldInvalid: only a GlobalAdmin invites without a permission group.
        GroupForeign: the groups are of several organisations.
        PermissionGroupUnknown, PermissionMissing, GrantTooWide: a group is not the caller's to
            give.
    """
    if caller.kind is CallerKind.CLIENT:
        # Whether it may still invite is asked when the invitation is accepted.
        raise PersonNeeded
    if by_mail and not post.works:
        raise MailOff
    organization_id = None
    for number, group_id in enumerate(new.permission_group_ids):
        group = await organizations.givable(tx, caller, group_id)
        if number and group.organization_id != organization_id:
            raise GroupForeign(id=group_id)
        organization_id = group.organization_id
    if not new.permission_group_ids and not caller.may(Permission.MANAGE_USERS, None):
        raise FieldInvalid("/permissionGroupIds", "must name at least one permission group.")
    found = await people.find_by_email(tx, new.email)
    user_id = found[0].id if found else None
    seen = caller.reach(Permission.READ_USERS)
    if user_id is not None and await people.shares_organization(tx, user_id, seen):
        raise EmailTaken(email=new.email)
    token = make_token("ml_", 32)
    made = await store.add(tx, new, organization_id, user_id, digest(token))
    await _tell(tx, InvitationMade, made, user_id)
    if not by_mail:
        return made, Link(token, LinkKind.INVITATION, made.expires_at)
    name = post.public_url
    if organization_id is not None:
        name = (await organizations.get(tx, caller, organization_id)).name
    await write(
        tx,
        post,
        Occasion.INVITED,
        made.email,
        made.language,
        about_id=made.id,
        path=f"/sign-in#token={quote(token)}",
        holds=INVITATION,
        until=made.expires_at,
        organization=name,
        inviter=caller.label,
    )
    return made, None


async def get_invitation(tx: Tx, caller: Caller, invitation_id: UUID) -> Invitation:
    """Read an open invitation of an organisation. Raises InvitationUnknown."""
    found = await store.get(tx, invitation_id)
    if not caller.may(Permission.READ_USERS, found.organization_id):
        raise InvitationUnknown(id=invitation_id)
    return found


async def list_invitations(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Invitation]:
    """List the open invitations of the caller's organisations."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_invitations(tx, seen, asked, organization_id=organization_id, q=q)


async def withdraw(tx: Tx, caller: Caller, invitation_id: UUID) -> None:
    """Take an invitation back. Raises InvitationUnknown, PermissionMissing."""
    found = await get_invitation(tx, caller, invitation_id)
    organizations.require(caller, Permission.MANAGE_USERS, found.organization_id)
    await _end(tx, InvitationWithdrawn, await store.get(tx, invitation_id, lock=True))


async def my_invitations(
    tx: Tx, caller: Caller, asked: pages.PageRequest
) -> pages.Page[ReceivedInvitation]:
    """List the invitations made to the caller. Raises PersonNeeded."""
    await my_user(tx, caller)
    return await store.list_received(tx, caller.id, asked)


async def accept(tx: Tx, caller: Caller, invitation_id: UUID) -> None:
    """Join the permission groups of an invitation.

    Raises:
        PersonNeeded, InvitationUnknown, InvitationVoid.
    """
    user = await my_user(tx, caller)
    await _join(tx, await store.get_received(tx, invitation_id, user.id), user)


async def decline(tx: Tx, caller: Caller, invitation_id: UUID) -> None:
    """Refuse an invitation. Raises PersonNeeded, InvitationUnknown."""
    user = await my_user(tx, caller)
    await _end(tx, InvitationDeclined, await store.get_received(tx, invitation_id, user.id))


async def take_up(tx: Tx, link: bytes) -> tuple[User | None, bool]:
    """Use the link of an invitation.

    Args:
        tx: the transaction; the one who asks is known when this has been done.
        link: the digest of its token.

    Returns:
        Whose it is, if there is such an invitation, and whether the account is new. To one that
        was there the invitation is addressed from now on, and nothing more.

    Raises:
        InvitationVoid.
    """
    invitation = await store.find_by_link(tx, link)
    if invitation is None:
        return None, False
    found = await people.find_by_email(tx, invitation.email)
    if found is not None:
        await store.address_to(tx, invitation.id, found[0].id)
        return found[0], False
    user = await people.add(
        tx,
        email=invitation.email,
        name=invitation.name,
        language=invitation.language,
        expires_at=invitation.account_expires_at,
        by=invitation.created_by,
    )
    await _join(tx, invitation, user)
    return user, True


async def _join(tx: Tx, invitation: Invitation, user: User) -> None:
    await _require_still_givable(tx, invitation)
    for group_id in invitation.permission_group_ids:
        await organizations.admit(tx, group_id, user.id)
    await store.remove(tx, invitation.id)
    # The groups may have gone meanwhile; the organisation is told all the same.
    homes = {*await organizations.homes_of(tx, user.id), invitation.organization_id}
    after = {
        "invitation": invitation.id,
        "organization_id": invitation.organization_id,
        "permission_group_ids": invitation.permission_group_ids,
    }
    await tell(tx, InvitationAccepted, user.id, homes=sorted(homes, key=str), after=after)


async def _require_still_givable(tx: Tx, invitation: Invitation) -> None:
    """Refuse what the inviter could not offer now. Raises InvitationVoid."""
    try:
        inviter = await act_for(tx, invitation.created_by)
        if invitation.organization_id is None:
            organizations.require(inviter, Permission.MANAGE_USERS, None)
        for group_id in invitation.permission_group_ids:
            await organizations.givable(tx, inviter, group_id)
    except (
        AskerGone,
        organizations.GrantTooWide,
        organizations.InstallationOnly,
        organizations.PermissionGroupUnknown,
        organizations.PermissionMissing,
    ) as lost:
        raise InvitationVoid from lost


async def _end(tx: Tx, fact: type[Fact], invitation: Invitation) -> None:
    user_id = await store.user_of(tx, invitation.id)
    await store.remove(tx, invitation.id)
    await mail.forget(tx, invitation.id)
    await _tell(tx, fact, invitation, user_id)


async def _tell(tx: Tx, fact: type[Fact], invitation: Invitation, user_id: UUID | None) -> None:
    """Tell the organisation that invites, and those of the person, who learn only by whom."""
    after = {
        "email": invitation.email,
        "permission_group_ids": invitation.permission_group_ids,
        "expires_at": invitation.expires_at,
    }
    tx.announce(fact(invitation.id, invitation.organization_id, after=after))
    if user_id is not None:
        homes = set(await organizations.homes_of(tx, user_id)) - {invitation.organization_id}
        told = {"organization_id": invitation.organization_id}
        if homes:
            await tell(tx, fact, user_id, homes=sorted(homes, key=str), after=told)
