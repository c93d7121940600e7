"""Silence and thresholds: what is noticed without any rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from moorage import groups, notifications
from moorage.kit.db import Tx
from moorage.notifications import NewNotice, NoticeKind, SubjectKind

from .. import store
from ..model import DeviceContext, Threshold

AT_ONCE = 1000


async def watch_silence(tx: Tx) -> int:
    """Open a notice for each device that has fallen silent; tell how many; for the schedule only.

    A device's own `silent_after` counts, else its application's, else three of its usual
    intervals once twenty contacts have shown what is usual.
    """
    silent = await store.watch.find_silent(tx, await groups.silence_limits(tx), AT_ONCE)
    await notifications.open_all(
        tx,
        [
            NewNotice(
                kind=NoticeKind.SILENCE,
                subject_kind=SubjectKind.DEVICE,
                subject_id=device.id,
                subject_name=device.name,
                application_id=device.application_id,
                organization_id=device.organization_id,
                detail={
                    "lastSeenAt": device.last_seen_at,
                    "silentAfter": device.limit,
                    "learned": device.learned,
                },
            )
            for device in silent
        ],
    )
    await notifications.clear(tx, NoticeKind.SILENCE, await store.watch.calm(tx))
    return len(silent)


async def judge(
    tx: Tx,
    contexts: Mapping[int, DeviceContext],
    readings: Iterable[tuple[int, str, float, datetime]],
) -> None:
    """Open and clear notices of thresholds; free where no device of the batch has any.

    Args:
        tx: the transaction.
        contexts: of the devices of the batch, as `context_of` gives them.
        readings: device number, series, value and time of each numeric reading; of several of one
            series the latest counts.
    """
    limited = {number for number, context in contexts.items() if context.thresholds}
    if not limited:
        return
    latest: dict[tuple[int, str], tuple[datetime, float]] = {}
    for number, series, value, at in readings:
        if number in limited:
            known = latest.get((number, series))
            if known is None or known[0] <= at:
                latest[number, series] = at, value
    opened: list[NewNotice] = []
    cleared: list[tuple[UUID, str]] = []
    for (number, series), (at, value) in latest.items():
        context = contexts[number]
        for threshold in context.thresholds:
            if threshold.series == series:
                _judge(context, threshold, value, at, opened, cleared)
    if cleared:
        await notifications.clear_causes(tx, NoticeKind.THRESHOLD, cleared)
    if opened:
        await notifications.open_all(tx, opened)


def _judge(
    context: DeviceContext,
    threshold: Threshold,
    value: float,
    at: datetime,
    opened: list[NewNotice],
    cleared: list[tuple[UUID, str]],
) -> None:
    sides = (("above", threshold.above, 1.0), ("below", threshold.below, -1.0))
    for side, limit, sign in sides:
        if limit is None:
            continue
        cause = f"{threshold.series}:{side}"
        beyond = (value - limit) * sign
        if beyond > 0:
            detail: dict[str, Any] = {
                "series": threshold.series, side: limit, "value": value, "at": at,
            }  # fmt: skip
            opened.append(
                NewNotice(
                    kind=NoticeKind.THRESHOLD,
                    subject_kind=SubjectKind.DEVICE,
                    subject_id=context.id,
                    subject_name=context.name,
                    application_id=context.application_id,
                    organization_id=context.organization_id,
                    cause=cause,
                    detail=detail,
                )
            )
        elif beyond <= -threshold.hysteresis:
            cleared.append((context.id, cause))
