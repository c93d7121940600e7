"""Read messages of devices that have no decoder, by content type or by looking at the bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from ..model import DecodeContext, Decoded, DecodeFailure
from ..ports import DecoderRuntime
from .readings import LONGEST_TEXT, take_readings

TEXT: Final = "text"
"""Answered by `choose` for what is read as a plain text or number."""
NOTHING: Final = Decoded(None)
"""What becomes of bytes that nobody can read: kept, no document, no problem."""

_NUMBER: Final = re.compile(rb"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WORDS: Final = (b"true", b"false")
# RFC 8428, table 4: a pack is an array of records, and a record has a name and a value.
_SENML: Final = re.compile(rb'\[\s*\{[^{}]*"b?n"\s*:[^{}]*\}')
_SENML_VALUE: Final = re.compile(rb'"(v|vs|vb|vd|s|bv|bs)"\s*:')
# The type a structured suffix stands for (RFC 6839, RFC 8949).
_SUFFIXES: Final = {
    "json": "application/json",
    "cbor": "application/cbor",
    "xml": "application/xml",
    "msgpack": "application/msgpack",
}
# Types that senders put on anything, so they say nothing.
_SILENT: Final = ("application/octet-stream", "application/x-www-form-urlencoded")
# A map whose first key is a text: of CBOR (RFC 8949, 3) and of MessagePack.
_CBOR_MAP: Final = re.compile(rb"([\xa1-\xb7\xbf]|\xb8.)[\x61-\x78]", re.S)
_MESSAGEPACK_MAP: Final = re.compile(rb"([\x81-\x8f]|\xde..)[\xa1-\xbf\xd9]", re.S)


class Formats:
    """Chooses among the runtimes that read content types by themselves."""

    def __init__(self, runtimes: Mapping[str, DecoderRuntime]) -> None:
        self._by_type = {t: r.name for r in runtimes.values() for t in r.content_types}
        self._chosen: dict[str, str | None] = {}

    def choose(self, message: DecodeContext) -> tuple[str | None, bool]:
        """Answer the runtime's name (or TEXT, or None for nobody), and whether it is a guess."""
        if message.content_type:
            chosen = self._of_type(message.content_type)
            if chosen is not None:
                return chosen, False
        # A port means the bytes of a small radio network, which look like anything.
        if message.port is not None:
            return None, True
        return self._guess(message.payload), True

    def _of_type(self, content_type: str) -> str | None:
        if content_type in self._chosen:
            return self._chosen[content_type]
        bare = content_type.partition(";")[0].strip().lower()
        chosen = None
        if bare not in _SILENT:
            suffix = bare.rpartition("+")[2] if "+" in bare else ""
            chosen = self._by_type.get(bare) or self._by_type.get(_SUFFIXES.get(suffix, ""))
            if chosen is None and bare.startswith("text/"):
                chosen = TEXT
        if len(self._chosen) < 1000:
            self._chosen[content_type] = chosen
        return chosen

    def _guess(self, payload: bytes) -> str | None:
        start = payload.lstrip()[:1]
        if start == b"[" and _SENML.match(payload.lstrip()) and _SENML_VALUE.search(payload):
            return self._by_type.get("application/senml+json")
        if start in (b"{", b"["):
            return self._by_type.get("application/json")
        if start == b"<":
            return self._by_type.get("application/xml")
        if _CBOR_MAP.match(payload):
            return self._by_type.get("application/cbor")
        if _MESSAGEPACK_MAP.match(payload):
            return self._by_type.get("application/msgpack")
        return TEXT


def read_text(payload: bytes) -> Decoded:
    """Read a number, true, false or a short printable text as the one value of its message."""
    bare = payload.strip()
    if _NUMBER.fullmatch(bare) or bare in _WORDS:
        readings, dropped = take_readings(msgspec.json.decode(bare))
        return Decoded(bare, readings, dropped=dropped)
    try:
        text = bare.decode()
    except UnicodeDecodeError:
        return NOTHING
    if not text or not all(c.isprintable() or c in "\t\r\n" for c in text):
        return NOTHING
    document = msgspec.json.encode(text)
    if len(bare) > LONGEST_TEXT:
        return Decoded(document)
    readings, dropped = take_readings(text)
    return Decoded(document, readings, dropped=dropped)


def settle_guess(payload: bytes, outcome: Decoded | DecodeFailure) -> Decoded | DecodeFailure:
    """Keep what a guessed format gave if it makes sense; else the bytes are just bytes.

    Somebody who meant JSON or XML is told what is wrong with it; binary formats begin like noise.
    """
    if payload.lstrip()[:1] in (b"{", b"[", b"<"):
        if isinstance(outcome, DecodeFailure) and not _is_text(payload):
            return NOTHING
        return outcome
    if (
        isinstance(outcome, DecodeFailure)
        or outcome.dropped
        or outcome.document is None
        or not outcome.document.startswith(b"{")
    ):
        return NOTHING
    return outcome


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
