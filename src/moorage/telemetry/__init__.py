"""Readings over time."""

from .errors import RangeReversed, RangeTooWide
from .model import Derived, Flag, Latest, MessageRow, Point, Quality, Row, State, Window
from .service import (
    MAX_SERIES,
    Keeper,
    latest,
    make_days,
    messages,
    newest_messages,
    readings,
    states,
)

__all__ = [
    "MAX_SERIES",
    "Derived",
    "Flag",
    "Keeper",
    "Latest",
    "MessageRow",
    "Point",
    "Quality",
    "RangeReversed",
    "RangeTooWide",
    "Row",
    "State",
    "Window",
    "latest",
    "make_days",
    "messages",
    "newest_messages",
    "readings",
    "states",
]
