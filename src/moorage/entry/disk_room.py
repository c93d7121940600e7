"""How much of the disk is used before something happens."""

from __future__ import annotations

from moorage import ingest
from moorage.entry import database as databases
from moorage.entry.settings import Settings


def room_of(settings: Settings) -> ingest.Room:
    """Watch the disk that the embedded database grows on."""
    return ingest.Room(databases.directory_of(settings), **shares_of(settings))


def shares_of(settings: Settings) -> dict[str, float]:
    """Give the used shares of the disk at which something happens."""
    return {"warn_share": settings.disk.warn_share, "refuse_share": settings.disk.refuse_share}
