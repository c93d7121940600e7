"""Texts with places to fill: `{{device.id}}` and nothing else, no code, no loops.

How a value is written depends on where it stands: in a JSON body outside quotes as a JSON value,
inside quotes as escaped text; in a URL percent-encoded; in a topic without the characters that
mean something there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any
from urllib.parse import quote

import msgspec

from moorage.kit.errors import Kind, MoorageError

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
_TOPIC = str.maketrans({"+": "_", "#": "_", "/": "_", "\0": "_"})


class TemplateInvalid(MoorageError):
    """A template cannot be read."""

    kind = Kind.INVALID
    code = "template.invalid"
    message = "{{{{{place}}}}} cannot be filled in: {reason}."


class ValueMissing(MoorageError):
    """A template names something this message does not have."""

    kind = Kind.INVALID
    code = "template.value_missing"
    message = "The message has no {place}, which the template needs there."


class Into(Enum):
    """What a template makes."""

    JSON = "json"
    URL = "url"
    TOPIC = "topic"
    TEXT = "text"


class Template:
    """A parsed text with places; `render` fills them."""

    def __init__(self, text: str, into: Into, roots: Collection[str]) -> None:
        """Parse `text`.

        Raises:
            TemplateInvalid: a place is malformed, or begins with none of `roots`.
        """
        self._into = into
        self._parts: list[str | tuple[tuple[str, ...], bool]] = []
        quoted = False
        end = 0
        for found in _PLACE.finditer(text):
            literal = text[end : found.start()]
            quoted = _quoted_after(literal, quoted)
            path = found[1].strip()
            if not _PATH.fullmatch(path):
                raise TemplateInvalid(place=path, reason="write names joined by dots")
            names = tuple(path.split("."))
            if names[0] not in roots:
                known = ", ".join(sorted(roots))
                raise TemplateInvalid(place=path, reason=f"it must begin with one of {known}")
            self._parts += [literal, (names, quoted)]
            end = found.end()
        self._parts.append(text[end:])
        self.roots = frozenset(p[0][0] for p in self._parts if isinstance(p, tuple))

    def render(self, scope: Mapping[str, Any]) -> str:
        """Fill the places from `scope`.

        Raises:
            ValueMissing: a URL or topic needs a value that is not there; elsewhere it is left
                empty, or null in JSON.
        """
        written = []
        for part in self._parts:
            if isinstance(part, str):
                written.append(part)
            else:
                names, quoted = part
                written.append(self._written(look_up(scope, names), names, quoted))
        return "".join(written)

    def _written(self, value: Any, names: tuple[str, ...], quoted: bool) -> str:
        if self._into is Into.JSON and not quoted:
            return msgspec.json.encode(value).decode()
        if value is None and self._into in (Into.URL, Into.TOPIC):
            raise ValueMissing(place=".".join(names))
        text = as_text(value)
        if self._into is Into.JSON:
            return msgspec.json.encode(text)[1:-1].decode()
        if self._into is Into.URL:
            return quote(text, safe="")
        return text.translate(_TOPIC) if self._into is Into.TOPIC else text


def look_up(value: Any, names: tuple[str, ...]) -> Any:
    """Follow names into nested mappings and lists; None where there is nothing.

    A key that itself has dots (`battery.voltage`) is found too.
    """
    for index, name in enumerate(names):
        if isinstance(value, Mapping):
            if name in value:
                value = value[name]
            else:
                return value.get(".".join(names[index:]))
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def as_text(value: Any) -> str:
    """Write a value as text: nothing for null, JSON for what has parts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _quoted_after(literal: str, quoted: bool) -> bool:
    """Tell whether a JSON text stands inside quotes after `literal`."""
    escaped = False
    for character in literal:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = quoted
        elif character == '"':
            quoted = not quoted
    return quoted
