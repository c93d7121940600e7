"""The system log: what processes warn of, kept where an administrator finds it."""

from __future__ import annotations

import logging

import structlog

from moorage.audit.jobs import LONGEST_QUEUE, SystemLogHandler, write_waiting
from moorage.kit import log as logs
from web import World


async def test_a_warning_is_found_in_the_system_log(world: World) -> None:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    logs.configure("warning", part="test")
    handler = SystemLogHandler("work")
    root.addHandler(handler)
    try:
        structlog.get_logger("moorage.targets").warning(
            "target_unreachable", target_id="t1", tries=3
        )
        logging.getLogger("elsewhere").error("it broke: %s", "why")
        structlog.get_logger("moorage.targets").info("nothing")
        await write_waiting(world.database, handler)
    finally:
        root.handlers = before
        root.setLevel(level)
    admin = await world.admin()
    found = (await admin.get("/api/v1/system-log")).json()["items"]
    assert [(e["level"], e["event"]) for e in found] == [
        ("error", "it broke: why"),
        ("warning", "target_unreachable"),
    ]
    assert found[1]["component"] == "moorage.targets"
    assert found[1]["part"] == "work"
    assert found[1]["detail"] == {"target_id": "t1", "tries": 3}
    query = {"q": "T1", "level": "warning", "part": "work"}
    (one,) = (await admin.get("/api/v1/system-log", params=query)).json()["items"]
    assert one["id"] == found[1]["id"]


def test_a_flood_of_warnings_takes_bounded_memory() -> None:
    handler = SystemLogHandler("work")
    record = logging.LogRecord("x", logging.WARNING, "", 0, "again", None, None)
    for _ in range(LONGEST_QUEUE + 500):
        handler.emit(record)
    assert handler.waiting.qsize() == LONGEST_QUEUE
