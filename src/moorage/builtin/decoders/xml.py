"""XML bodies as documents.

An element with neither attributes nor children becomes its text; attributes and children become
keys, repeated children a list, text beside them `value`. Text that is a number or `true`/`false`
becomes one. Document types and entities are refused: they serve attacks only.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn
from xml.parsers import expat

from moorage.plugin import DecodeContext, Decoded, DecodeFailure

from .values import document_of, malformed

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?")
_DEPTH: Final = 32
_MOST: Final = 50_000


class _Refused(Exception):
    pass


class _Builder:
    def __init__(self) -> None:
        self.stack: list[tuple[str, dict[str, Any], list[str]]] = []
        self.count = 0
        self.document: Any = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1 + len(attributes)
        if len(self.stack) >= _DEPTH or self.count > _MOST:
            raise _Refused("it is nested too deeply or holds too many elements")
        self.stack.append((name, {k: _scalar(v) for k, v in attributes.items()}, []))

    def text(self, text: str) -> None:
        self.stack[-1][2].append(text)

    def end(self, _: str) -> None:
        name, keys, parts = self.stack.pop()
        text = "".join(parts).strip()
        value: Any = keys
        if not keys:
            value = _scalar(text) if text else None
        elif text:
            keys["value"] = _scalar(text)
        if not self.stack:
            self.document = {name: value}
            return
        siblings = self.stack[-1][1]
        if name not in siblings:
            siblings[name] = value
        elif isinstance(siblings[name], list):
            siblings[name].append(value)
        else:
            siblings[name] = [siblings[name], value]


def _scalar(text: str) -> float | bool | str:
    if text in {"true", "false"}:
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if any(c in text for c in ".eE") else int(text)
    return text


def _refuse(*_: object) -> NoReturn:
    raise _Refused("document types and entities are refused")


def decode_xml(message: DecodeContext) -> Decoded | DecodeFailure:
    """Take an XML payload."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(message.payload, True)
    except (expat.ExpatError, _Refused, ValueError, LookupError) as error:
        return malformed(f"it is not plain XML: {error}")
    return document_of(builder.document)
