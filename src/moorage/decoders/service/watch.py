"""Telling of decoders that keep failing."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from moorage import notifications
from moorage.kit.db import Tx
from moorage.notifications import NewNotice, NoticeKind, SubjectKind

from .. import store

log = structlog.get_logger()

# So often within a day, the last time so lately: one odd message is no matter.
LEAST: Final = 3
LATELY: Final = timedelta(hours=1)


async def watch(tx: Tx) -> None:
    """Open a notice for each decoder that keeps failing, and clear the others; by the clock.

    One for each organisation whose devices are concerned, since a shared decoder serves many. A
    new version begins with a clean sheet.
    """
    failing = await store.failing(tx, tx.now - LATELY, LEAST)
    opened = await notifications.open_all(
        tx,
        [
            NewNotice(
                kind=NoticeKind.DECODER_FAILING,
                subject_kind=SubjectKind.DECODER,
                subject_id=one.decoder_id,
                subject_name=one.name,
                organization_id=one.organization_id,
                cause=str(one.organization_id),
                detail={"devices": one.devices, "error": one.message},
            )
            for one in failing
        ],
    )
    for notice in opened:
        log.warning(
            "decoder_failing",
            decoder_id=notice.subject_id,
            organization_id=notice.organization_id,
            **notice.detail,
        )
    standing = {(one.decoder_id, str(one.organization_id)) for one in failing}
    await notifications.clear_all_but(tx, NoticeKind.DECODER_FAILING, standing)
