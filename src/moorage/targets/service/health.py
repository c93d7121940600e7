"""How a target is doing: written with it, told as a notice while it does not take anything."""

from __future__ import annotations

import structlog

from moorage import notifications
from moorage.kit.db import Tx
from moorage.notifications import NewNotice, NoticeKind, SubjectKind

from .. import store
from ..model import Health, HealthState, Target

log = structlog.get_logger()


async def note(tx: Tx, target: Target, was: Health, health: Health) -> None:
    """Keep how a target is doing; open a notice when it stops, clear it when it works again."""
    await store.set_health(tx, target.id, health)
    if health.state is was.state:
        return
    if health.state is HealthState.OPEN:
        log.warning("target_failing", target_id=target.id, error=health.error)
        await notifications.open_all(
            tx,
            [
                NewNotice(
                    kind=NoticeKind.TARGET_FAILING,
                    subject_kind=SubjectKind.TARGET,
                    subject_id=target.id,
                    subject_name=target.name,
                    organization_id=target.organization_id,
                    application_id=target.application_id,
                    detail={"error": health.error},
                )
            ],
        )
    elif health.state is HealthState.OK:
        log.info("target_works", target_id=target.id)
        await forget(tx, target)


async def forget(tx: Tx, target: Target) -> None:
    """Clear the notice of a target that works, is paused or goes."""
    await notifications.clear(tx, NoticeKind.TARGET_FAILING, [target.id])
