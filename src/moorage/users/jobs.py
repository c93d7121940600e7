"""What the worker does for people's sessions, links and mail."""

from __future__ import annotations

from moorage.kit.db import Tx
from moorage.kit.mail import Post

from . import service


async def answer_wishes(tx: Tx, post: Post) -> None:
    """Write the mail that people at the sign-in brought about; every two seconds."""
    await service.answer_wishes(tx, post)


async def clear_away(tx: Tx) -> None:
    """Delete sessions, links and counts that are over; to be run hourly."""
    await service.clear_away(tx)
