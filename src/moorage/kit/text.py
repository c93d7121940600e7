"""Text as PostgreSQL can keep it."""

from __future__ import annotations

_NUL, _UNKNOWN = "\0", "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """Replace what no column takes: NUL, and halves of surrogate pairs."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace(_NUL, _UNKNOWN)
