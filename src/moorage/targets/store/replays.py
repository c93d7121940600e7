"""Replays: periods that are sent once more."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import ReplayUnknown
from ..model import Replay, ReplayState
from ..tables import target_replays, targets

_OPEN = (ReplayState.WAITING.value, ReplayState.RUNNING.value)


def _replay(row: Any) -> Replay:
    values = {c.name: getattr(row, c.name) for c in target_replays.c}
    return Replay(**{**values, "state": ReplayState(row.state)})


async def add_replay(tx: Tx, target_id: UUID, start: datetime, end: datetime) -> Replay:
    """Insert one that waits to be worked off."""
    row = (
        await tx.execute(
            insert(target_replays)
            .values(
                id=uuid7(),
                target_id=target_id,
                from_at=start,
                to_at=end,
                state=ReplayState.WAITING.value,
                enqueued=0,
                position="",
                **tx.stamp(),
            )
            .returning(target_replays)
        )
    ).one()
    return _replay(row)


async def get_replay(tx: Tx, target_id: UUID, replay_id: UUID) -> Replay:
    """Read one. Raises ReplayUnknown."""
    query = select(target_replays).where(
        target_replays.c.id == replay_id, target_replays.c.target_id == target_id
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise ReplayUnknown(id=replay_id)
    return _replay(row)


async def list_replays(tx: Tx, target_id: UUID, asked: pages.PageRequest) -> pages.Page[Replay]:
    """Read a page of a target's replays, newest first."""
    return await pages.page(
        tx,
        select(target_replays).where(target_replays.c.target_id == target_id),
        asked,
        sorts={"createdAt": target_replays.c.created_at},
        default="-createdAt",
        key=target_replays.c.id,
        read=_replay,
    )


async def take_replay(tx: Tx) -> Replay | None:
    """Lock the next open replay of a target that is not paused, or give None."""
    query = (
        select(target_replays)
        .join(targets, targets.c.id == target_replays.c.target_id)
        .where(target_replays.c.state.in_(_OPEN), ~targets.c.paused)
        .order_by(target_replays.c.id)
        .limit(1)
        .with_for_update(of=target_replays, skip_locked=True)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _replay(row)


async def hold_replay(tx: Tx, replay: Replay) -> bool:
    """Lock a replay that was taken before; tell whether it still stands where it did then."""
    query = select(target_replays.c.id).where(
        target_replays.c.id == replay.id,
        target_replays.c.state.in_(_OPEN),
        target_replays.c.position == replay.position,
    )
    return (await tx.execute(query.with_for_update())).one_or_none() is not None


async def move_replay(
    tx: Tx, replay_id: UUID, *, state: ReplayState, enqueued: int, position: str
) -> None:
    """Note how far a replay came, in the transaction that enqueued its messages."""
    await tx.execute(
        update(target_replays)
        .where(target_replays.c.id == replay_id)
        .values(
            state=state.value,
            enqueued=target_replays.c.enqueued + enqueued,
            position=position,
            updated_at=tx.now,
        )
    )


async def cancel_replay(tx: Tx, replay_id: UUID) -> None:
    """Stop one that is not done."""
    await tx.execute(
        update(target_replays)
        .where(target_replays.c.id == replay_id, target_replays.c.state.in_(_OPEN))
        .values(state=ReplayState.CANCELLED.value, **tx.restamp())
    )
