"""The rules of notices; those who find causes open and clear them without a caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.reach import is_own
from moorage.organizations import Permission

from . import store
from .errors import NoticeCleared, NoticeUnknown
from .facts import NoticeAcknowledged
from .model import NewNotice, Notice, NoticeFilter, NoticeKind, NoticeState

KEEP_CLEARED = timedelta(days=365)


async def list_notices(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: NoticeFilter
) -> pages.Page[Notice]:
    """List the notices the caller may see."""
    return await store.list_notices(tx, caller.reach(Permission.READ_DEVICES), asked, wanted)


async def get(tx: Tx, caller: Caller, notice_id: UUID, *, lock: bool = False) -> Notice:
    """Read a notice. Raises NoticeUnknown."""
    notice = await store.get(tx, notice_id, lock=lock)
    if not await _may(tx, caller, Permission.READ_DEVICES, notice):
        raise NoticeUnknown(id=notice_id)
    return notice


async def _may(tx: Tx, caller: Caller, permission: Permission, notice: Notice) -> bool:
    place = notice.organization_id, notice.application_id
    return caller.may(permission, *place) or await is_own(
        tx, caller.reach(permission), notice.subject_id
    )


async def acknowledge(tx: Tx, caller: Caller, notice_id: UUID) -> Notice:
    """Take note of a notice; a second time changes nothing.

    Raises:
        NoticeUnknown, PermissionMissing, NoticeCleared.
    """
    notice = await get(tx, caller, notice_id, lock=True)
    place = notice.organization_id, notice.application_id
    if not await _may(tx, caller, Permission.OPERATE_DEVICES, notice):
        organizations.require(caller, Permission.OPERATE_DEVICES, *place)
    if notice.state is NoticeState.CLEARED:
        raise NoticeCleared
    if notice.state is NoticeState.ACKNOWLEDGED:
        return notice
    after = await store.acknowledge(tx, notice_id)
    told = {"kind": notice.kind, "subjectId": notice.subject_id, "cause": notice.cause}
    tx.announce(NoticeAcknowledged(notice_id, notice.organization_id, after=told))
    return after


async def open_all(tx: Tx, new: Sequence[NewNotice]) -> list[Notice]:
    """Open a notice for each cause that has none standing; give the new ones.

    The doorbell channel of every opening and clearing is `moorage_notices`.
    """
    return await store.open_all(tx, new)


async def clear(tx: Tx, kind: NoticeKind, subject_ids: Iterable[UUID]) -> int:
    """Clear what stands of this kind about these subjects; tell how many."""
    return await store.clear(tx, kind, None, subject_ids)


async def clear_causes(tx: Tx, kind: NoticeKind, causes: Iterable[tuple[UUID, str]]) -> int:
    """Clear what stands for these pairs of subject and cause; tell how many."""
    return await store.clear(tx, kind, causes, ())


async def clear_all_but(tx: Tx, kind: NoticeKind, standing: Iterable[tuple[UUID, str]]) -> int:
    """Clear what stands of this kind but for these pairs of subject and cause; tell how many."""
    return await store.clear_all_but(tx, kind, standing)


async def move_application(tx: Tx, application_id: UUID, organization_id: UUID) -> None:
    """Hand over the notices about a moved application."""
    await store.move_application(tx, application_id, organization_id)


async def trim(tx: Tx) -> int:
    """Forget notices cleared a year ago; for the schedule only."""
    return await store.remove_cleared(tx, tx.now - KEEP_CLEARED)
