"""Clients made of an OpenAPI document: one file each, which needs nothing but its language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...model import Language
from . import python, typescript
from .calls import Document, reached, read

__all__ = ["reached", "write"]

_WRITERS: Mapping[Language, Callable[[Document], str]] = {
    Language.PYTHON: python.write,
    Language.TYPESCRIPT: typescript.write,
}


def write(document: Mapping[str, Any], language: Language) -> str:
    """Write a client of what a document describes."""
    return _WRITERS[language](read(document))
