"""Structured logs: JSON lines on stdout, or coloured lines when a person watches."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

CHATTY = ("uvicorn.access", "httpx2", "httpcore2", "asyncio", "alembic")


def configure(level: str, *, part: str) -> None:
    """Send the logs of this process, those of libraries too, to stdout.

    Args:
        level: debug, info, warning or error.
        part: which process speaks; a field of every line.
    """
    watched = sys.stdout.isatty()

    def name_part(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
        event.setdefault("part", part)
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        name_part,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if watched else "iso", utc=not watched),
    ]
    shown: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if watched
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    logging.getLogger().handlers = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Log from this level on: debug, info, warning or error."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
