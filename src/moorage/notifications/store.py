"""The only SQL about notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.kit.reach import shows

from .errors import NoticeUnknown
from .model import NewNotice, Notice, NoticeFilter, NoticeKind, NoticeState, SubjectKind
from .tables import notices

NOTICES_CHANNEL = "moorage_notices"
CHUNK = 500
_CAUSE = tuple_(notices.c.subject_id, notices.c.cause)
_STANDING = notices.c.state != NoticeState.CLEARED.value
_FIELDS = tuple(f.name for f in fields(Notice))


def _notice(row: Any) -> Notice:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["kind"] = NoticeKind(row.kind)
    values["subject_kind"] = SubjectKind(row.subject_kind)
    values["state"] = NoticeState(row.state)
    return Notice(**values)


async def open_all(tx: Tx, new: Sequence[NewNotice]) -> list[Notice]:
    """Insert those whose cause has no standing notice yet; give them."""
    opened: list[Notice] = []
    for start in range(0, len(new), CHUNK):
        rows = await tx.execute(
            insert(notices)
            .values(
                [
                    {
                        "id": uuid7(),
                        **asdict(notice),
                        "device_id": notice.subject_id
                        if notice.subject_kind is SubjectKind.DEVICE
                        else None,
                        "state": NoticeState.OPEN.value,
                        "opened_at": tx.now,
                        "updated_at": tx.now,
                    }
                    for notice in new[start : start + CHUNK]
                ]
            )
            .on_conflict_do_nothing()
            .returning(notices)
        )
        opened += [_notice(row) for row in rows]
    if opened:
        await _ring(tx)
    return opened


async def clear(
    tx: Tx, kind: NoticeKind, causes: Iterable[tuple[UUID, str]] | None, subjects: Iterable[UUID]
) -> int:
    """Clear the standing notices of `causes`, or all of `subjects`; tell how many."""
    if causes is None:
        return await _clear(tx, kind, notices.c.subject_id.in_(list(subjects)))
    return await _clear(tx, kind, _CAUSE.in_(list(causes)))


async def clear_all_but(tx: Tx, kind: NoticeKind, standing: Iterable[tuple[UUID, str]]) -> int:
    """Clear the standing notices of a kind but for some causes; tell how many."""
    return await _clear(tx, kind, _CAUSE.not_in(list(standing)))


async def _clear(tx: Tx, kind: NoticeKind, which: ColumnElement[bool]) -> int:
    result = await tx.execute(
        update(notices)
        .where(_STANDING, notices.c.kind == kind.value, which)
        .values(state=NoticeState.CLEARED.value, cleared_at=tx.now, updated_at=tx.now)
    )
    if result.rowcount:
        await _ring(tx)
    return result.rowcount


async def _ring(tx: Tx) -> None:
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": NOTICES_CHANNEL})


async def move_application(tx: Tx, application_id: UUID, organization_id: UUID) -> None:
    """Hand over what is about an application itself; what is about devices follows them."""
    await tx.execute(
        update(notices)
        .where(notices.c.application_id == application_id, notices.c.device_id.is_(None))
        .values(organization_id=organization_id, updated_at=tx.now)
    )


async def get(tx: Tx, notice_id: UUID, *, lock: bool = False) -> Notice:
    """Read one. Raises NoticeUnknown."""
    query = select(notices).where(notices.c.id == notice_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NoticeUnknown(id=notice_id)
    return _notice(row)


async def list_notices(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: NoticeFilter
) -> pages.Page[Notice]:
    """Read a page of what `seen` allows."""
    c = notices.c
    query = select(notices).where(
        shows(seen, c.organization_id, c.application_id, device_id=c.subject_id)
    )
    if wanted.states:
        query = query.where(notices.c.state.in_(wanted.states))
    if wanted.kinds:
        query = query.where(notices.c.kind.in_(wanted.kinds))
    for column, value in (
        (notices.c.organization_id, wanted.organization_id),
        (notices.c.application_id, wanted.application_id),
        (notices.c.subject_id, wanted.subject_id),
    ):
        if value is not None:
            query = query.where(column == value)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={
            "openedAt": notices.c.opened_at,
            "updatedAt": notices.c.updated_at,
            "kind": notices.c.kind,
            "subjectName": func.lower(notices.c.subject_name),
        },
        default="-openedAt",
        key=notices.c.id,
        read=_notice,
    )


async def acknowledge(tx: Tx, notice_id: UUID) -> Notice:
    """Note who has seen it. Raises NoticeUnknown."""
    await tx.execute(
        update(notices)
        .where(notices.c.id == notice_id)
        .values(
            state=NoticeState.ACKNOWLEDGED.value,
            acknowledged_at=tx.now,
            acknowledged_by=tx.caller.id,
            updated_at=tx.now,
        )
    )
    await _ring(tx)
    return await get(tx, notice_id)


async def remove_cleared(tx: Tx, before: datetime) -> int:
    """Delete what was cleared before then; tell how many."""
    result = await tx.execute(
        delete(notices).where(
            notices.c.state == NoticeState.CLEARED.value, notices.c.cleared_at < before
        )
    )
    return result.rowcount
