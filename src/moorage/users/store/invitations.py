"""Invitations and the permission groups they lead into."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import InvitationUnknown
from ..model import INVITATION, Invitation, NewUser, ReceivedInvitation
from ..tables import user_invitation_groups as groups
from ..tables import user_invitations as invitations
from ..tables import users

# They belong to the slice of organisations; who is invited may read these names.
_organizations = table("organizations", column("id"), column("name"))
_permission_groups = table("permission_groups", column("id"), column("name"))
_group_ids = (
    select(func.array_agg(groups.c.permission_group_id))
    .where(groups.c.invitation_id == invitations.c.id)
    .scalar_subquery()
    .label("permission_group_ids")
)
_group_names = (
    select(func.array_agg(_permission_groups.c.name))
    .where(
        groups.c.invitation_id == invitations.c.id,
        groups.c.permission_group_id == _permission_groups.c.id,
    )
    .scalar_subquery()
    .label("permission_groups")
)
_OWN = (
    invitations.c.id,
    invitations.c.organization_id,
    invitations.c.email,
    invitations.c.name,
    invitations.c.language,
    invitations.c.account_expires_at,
    invitations.c.expires_at,
    invitations.c.created_at,
    invitations.c.updated_at,
    invitations.c.created_by,
    invitations.c.updated_by,
)


async def add(
    tx: Tx, new: NewUser, organization_id: UUID | None, user_id: UUID | None, digest: bytes
) -> Invitation:
    """Insert an invitation in place of one the organisation has made to the same address."""
    await tx.execute(
        delete(invitations).where(
            invitations.c.organization_id.is_not_distinct_from(organization_id),
            func.lower(invitations.c.email) == new.email.lower(),
        )
    )
    row = (
        await tx.execute(
            insert(invitations)
            .values(
                id=uuid7(),
                organization_id=organization_id,
                email=new.email,
                name=new.name,
                language=new.language,
                account_expires_at=new.expires_at,
                user_id=user_id,
                digest=digest,
                expires_at=tx.now + INVITATION,
                **tx.stamp(),
            )
            .returning(*_OWN)
        )
    ).one()
    if new.permission_group_ids:
        wanted = [
            {"invitation_id": row.id, "permission_group_id": g} for g in new.permission_group_ids
        ]
        await tx.execute(insert(groups), wanted)
    return Invitation(**row._mapping, permission_group_ids=new.permission_group_ids)


async def get(tx: Tx, invitation_id: UUID, *, lock: bool = False) -> Invitation:
    """Read one that is open. Raises InvitationUnknown."""
    found = await _find(tx, invitations.c.id == invitation_id, lock=lock)
    if found is None:
        raise InvitationUnknown(id=invitation_id)
    return found


async def get_received(tx: Tx, invitation_id: UUID, user_id: UUID) -> Invitation:
    """Read and lock one that is open and made to this user. Raises InvitationUnknown."""
    mine = (invitations.c.id == invitation_id) & (invitations.c.user_id == user_id)
    found = await _find(tx, mine, lock=True)
    if found is None:
        raise InvitationUnknown(id=invitation_id)
    return found


async def find_by_link(tx: Tx, digest: bytes) -> Invitation | None:
    """Find and lock one that is open by its link."""
    return await _find(tx, invitations.c.digest == digest, lock=True)


async def list_invitations(
    tx: Tx,
    seen: Reach,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None,
    q: str | None,
) -> pages.Page[Invitation]:
    """Read a page of what is open in the organisations of `seen`."""
    query = _open(tx)
    if not seen.everywhere:
        query = query.where(invitations.c.organization_id.in_(seen.organization_ids))
    if organization_id is not None:
        query = query.where(invitations.c.organization_id == organization_id)
    if q:
        query = query.where(
            or_(
                invitations.c.name.icontains(q, autoescape=True),
                invitations.c.email.icontains(q, autoescape=True),
            )
        )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "email": func.lower(invitations.c.email),
            "createdAt": invitations.c.created_at,
            "expiresAt": invitations.c.expires_at,
        },
        default="email",
        key=invitations.c.id,
        read=_invitation,
    )


async def list_received(
    tx: Tx, user_id: UUID, asked: pages.PageRequest
) -> pages.Page[ReceivedInvitation]:
    """Read a page of what is open and made to a user."""
    query = (
        select(
            invitations.c.id,
            invitations.c.organization_id,
            _organizations.c.name.label("organization_name"),
            _group_names,
            func.coalesce(users.c.email, users.c.name).label("invited_by"),
            invitations.c.created_at,
            invitations.c.expires_at,
        )
        .outerjoin(_organizations, _organizations.c.id == invitations.c.organization_id)
        .outerjoin(users, users.c.id == invitations.c.created_by)
        .where(invitations.c.user_id == user_id, invitations.c.expires_at > tx.now)
    )
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"createdAt": invitations.c.created_at},
        default="-createdAt",
        key=invitations.c.id,
        read=_received,
    )


async def user_of(tx: Tx, invitation_id: UUID) -> UUID | None:
    """Tell who may accept it signed in."""
    query = select(invitations.c.user_id).where(invitations.c.id == invitation_id)
    return (await tx.execute(query)).scalar_one_or_none()


async def address_to(tx: Tx, invitation_id: UUID, user_id: UUID) -> None:
    """Let a user accept it signed in."""
    await tx.execute(
        update(invitations).where(invitations.c.id == invitation_id).values(user_id=user_id)
    )


async def remove(tx: Tx, invitation_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(invitations).where(invitations.c.id == invitation_id))


async def drop_expired(tx: Tx) -> None:
    """Delete those nobody answered in time."""
    await tx.execute(delete(invitations).where(invitations.c.expires_at <= tx.now))


def _open(tx: Tx) -> Select[Any]:
    return select(*_OWN, _group_ids).where(invitations.c.expires_at > tx.now)


async def _find(tx: Tx, wanted: ColumnElement[bool], *, lock: bool) -> Invitation | None:
    query = _open(tx).where(wanted)
    row = (await tx.execute(query.with_for_update(of=invitations) if lock else query)).one_or_none()
    return None if row is None else _invitation(row)


def _invitation(row: Any) -> Invitation:
    values = {c.key: getattr(row, c.key) for c in _OWN}
    return Invitation(**values, permission_group_ids=tuple(row.permission_group_ids or ()))


def _received(row: Any) -> ReceivedInvitation:
    return ReceivedInvitation(
        row.id,
        row.organization_id,
        row.organization_name,
        tuple(sorted(row.permission_groups or ())),
        row.invited_by,
        row.created_at,
        row.expires_at,
    )
