"""Readings over time."""

from .errors import RangeReversed, RangeTooWide
from .model import Derived, Flag, Latest, MessageRow, Point, Quality, Row, State, Window
from .service import (
    MAX_SERIES,
    Feed,
    Keeper,
    Place,
    entries_of,
    latest,
    make_days,
    message,
    messages,
    newest_messages,
    readings,
    states,
)

__all__ = [
    "MAX_SERIES",
    "Derived",
    "Feed",
    "Flag",
    "Keeper",
    "Latest",
    "MessageRow",
    "Place",
    "Point",
    "Quality",
    "RangeReversed",
    "RangeTooWide",
    "Row",
    "State",
    "Window",
    "entries_of",
    "latest",
    "make_days",
    "message",
    "messages",
    "newest_messages",
    "readings",
    "states",
]
