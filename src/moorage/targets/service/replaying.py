"""Replays: asked for, listed, stopped."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid

from .. import store
from ..facts import ReplayAsked, ReplayCancelled
from ..model import Replay
from . import catalogue


async def ask_replay(
    tx: Tx, caller: Caller, target_id: UUID, start: datetime, end: datetime
) -> Replay:
    """Ask for what was received in a period to be sent to a target once more, under new keys.

    Raises:
        TargetUnknown, PermissionMissing.
        FieldInvalid: the period is empty, or not over.
    """
    target = await catalogue.to_manage(tx, caller, target_id)
    if end <= start:
        raise FieldInvalid("/to", "must be later than `from`")
    if end > tx.now:
        raise FieldInvalid("/to", "must not lie in the future")
    replay = await store.add_replay(tx, target_id, start, end)
    tx.announce(ReplayAsked(replay.id, target.organization_id, after={"from": start, "to": end}))
    return replay


async def get_replay(tx: Tx, caller: Caller, target_id: UUID, replay_id: UUID) -> Replay:
    """Read a replay. Raises TargetUnknown, ReplayUnknown."""
    await catalogue.get(tx, caller, target_id)
    return await store.get_replay(tx, target_id, replay_id)


async def list_replays(
    tx: Tx, caller: Caller, target_id: UUID, asked: pages.PageRequest
) -> pages.Page[Replay]:
    """List a target's replays, newest first. Raises TargetUnknown."""
    await catalogue.get(tx, caller, target_id)
    return await store.list_replays(tx, target_id, asked)


async def cancel_replay(tx: Tx, caller: Caller, target_id: UUID, replay_id: UUID) -> Replay:
    """Stop a replay; what it put into the outbox already is still delivered.

    Raises:
        TargetUnknown, PermissionMissing, ReplayUnknown.
    """
    target = await catalogue.to_manage(tx, caller, target_id)
    await store.get_replay(tx, target_id, replay_id)
    await store.cancel_replay(tx, replay_id)
    tx.announce(ReplayCancelled(replay_id, target.organization_id))
    return await store.get_replay(tx, target_id, replay_id)
