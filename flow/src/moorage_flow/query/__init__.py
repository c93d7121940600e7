"""Queries built from their syntax."""

from __future__ import annotations

from .builder import QueryBuilder, QueryRuntime
from .inputs import Readable

__all__ = ["QueryBuilder", "QueryRuntime", "Readable"]
