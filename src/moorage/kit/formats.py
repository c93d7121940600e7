"""What is well-formed, before anybody relies on it."""

from __future__ import annotations

import io
import re
from typing import Any, Final

import cbor2

DEEPEST: Final = 64
"""Levels of objects and lists that are taken; what writes and reads JSON ends at some 200."""
_OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def is_too_deep(json: bytes) -> bool:
    """Tell whether well-formed JSON is nested deeper than `DEEPEST`."""
    brackets = json.translate(None, _OTHERS)
    # Each level opens and closes; what most messages hold is told from here.
    if len(brackets) <= 2 * DEEPEST:
        return False
    for _ in range(DEEPEST):
        # Without its innermost level.
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not brackets:
            return False
    # Too deep, or brackets in texts.
    depth = 0
    for token in _TOKENS.finditer(json):
        if (first := token[0][:1]) in b"[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def read_cbor(payload: bytes) -> Any:
    """Read one CBOR item (RFC 8949), which is the whole payload. Raises ValueError."""
    rest = io.BytesIO(payload)
    try:
        value = cbor2.load(rest)
    except (cbor2.CBORDecodeError, RecursionError, MemoryError, OverflowError) as error:
        raise ValueError(f"it is not CBOR: {error}") from error
    if rest.read(1):
        raise ValueError("it is not CBOR: there are bytes after its end")
    return value
