"""Text to syntax tree: an LALR parser over `grammar.lark`, built at its first use.

Its tables are kept beside the compiled modules, where those are written: to read them takes 20 ms
instead of 250, and 5 MB less.
"""

from __future__ import annotations

import functools
import os
import pkgutil
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SyntaxInvalid, nearest
from .syntax import AppSyntax, Definition, Expression, OnDemandQuery, Partition, Place, Query, Type

if TYPE_CHECKING:
    import lark

_NAMES = {
    "ID": "a name",
    "STRING": "a string",
    "INT": "a number",
    "LONG": "a number",
    "FLOAT": "a number",
    "DOUBLE": "a number",
    "SCRIPT": "a body in braces",
    "TYPE": "a type",
    "TIME_UNIT": "a unit of time",
    "$END": "the end",
}

_SKIPPED = re.compile(
    r"\"\"\".*?\"\"\"|'[^'\r\n]*'|\"[^\"\r\n]*\"|--[^\r\n]*|/\*.*?\*/|\{", re.DOTALL
)
_BRACES = re.compile(r"\"[^\"]*\"|//[^\r\n]*|[{}]")


@functools.cache
def _lark(start: str) -> lark.Lark:
    import lark

    from .build import Builder

    # `importlib.resources` would take a megabyte more.
    grammar = pkgutil.get_data(__package__, "grammar.lark")
    assert grammar is not None
    return lark.Lark(
        grammar.decode(),
        parser="lalr",
        lexer="contextual",
        start=start,
        transformer=Builder(),
        maybe_placeholders=True,
        cache=_kept(start),
    )


def _kept(start: str) -> str | bool:
    """Give where the tables are kept; False where nothing can be written there. Lark looks whether
    they are of this grammar, and makes them anew if not.
    """
    place = Path(__file__).with_name("__pycache__")
    kept = place / f"grammar.{sys.implementation.cache_tag}.{start}.tables"
    writes = not sys.dont_write_bytecode and os.access(place, os.W_OK)
    return str(kept) if writes or kept.exists() else False


def _parse(text: str, start: str) -> Any:
    import lark

    from . import build

    text, scripts = _lift_scripts(text)
    try:
        with build.scripts(scripts):
            return _lark(start).parse(text)
    except lark.exceptions.UnexpectedInput as error:
        raise _refusal(error, text, start) from None
    except lark.exceptions.VisitError as error:
        raise error.orig_exc from None


def _lift_scripts(text: str) -> tuple[str, list[str]]:
    """Blank the bodies of functions, whose braces nest, keeping every position."""
    parts: list[str] = []
    bodies: list[str] = []
    at = 0
    while (found := _SKIPPED.search(text, at)) is not None:
        if found.group() != "{":
            parts.append(text[at : found.end()])
            at = found.end()
            continue
        depth, end = 0, len(text)
        for brace in _BRACES.finditer(text, found.start()):
            depth += {"{": 1, "}": -1}.get(brace.group(), 0)
            if depth == 0:
                end = brace.end()
                break
        body = text[found.start() + 1 : end - 1]
        parts.append(
            text[at : found.start() + 1] + re.sub(r"[^\r\n]", " ", body) + text[end - 1 : end]
        )
        bodies.append(body)
        at = end
    parts.append(text[at:])
    return "".join(parts), bodies


def _refusal(error: lark.exceptions.UnexpectedInput, text: str, start: str) -> SyntaxInvalid:
    names: set[str] = set(getattr(error, "expected", None) or getattr(error, "allowed", None) or ())
    expected = tuple(sorted({_shown(start, name) for name in names}))
    token = getattr(error, "token", None)
    if token is None and error.pos_in_stream is not None:
        found = repr(text[error.pos_in_stream])
    else:
        found = "the end" if token is None or token.type == "$END" else repr(str(token))
    line, column = error.line, error.column
    if line < 1:
        lines = text.rstrip().split("\n")
        line, column = len(lines), len(lines[-1]) + 1
    wanted = f", expected {_listed(expected)}" if expected else ""
    words = {word for word in expected if word.isalpha()}
    words |= {one.value for one in Type} if "TYPE" in names else set()
    like = nearest(str(token), words) if str(token).isalpha() else ""
    return SyntaxInvalid(f"found {found}{wanted}{like}", Place(line, column), expected)


def _shown(start: str, name: str) -> str:
    """Give a terminal as it is written."""
    import lark

    if name in _NAMES:
        return _NAMES[name]
    pattern = next((t.pattern for t in _lark(start).terminals if t.name == name), None)
    written = isinstance(pattern, lark.lexer.PatternStr)
    return f"'{pattern.value}'" if pattern is not None and written else name.lower()


def _listed(names: tuple[str, ...]) -> str:
    shown = names[:12]
    more = f" or {len(names) - 12} others" if len(names) > 12 else ""
    return ", ".join(shown) + more


def parse_app(text: str) -> AppSyntax:
    """Parse a whole application. Raises SyntaxInvalid."""
    result: AppSyntax = _parse(text, "app")
    return result


def parse_query(text: str) -> Query:
    """Parse one query. Raises SyntaxInvalid."""
    result: Query = _parse(_without_end(text), "query")
    return result


def parse_partition(text: str) -> Partition:
    """Parse one partition. Raises SyntaxInvalid."""
    result: Partition = _parse(_without_end(text), "partition")
    return result


def parse_on_demand(text: str) -> OnDemandQuery:
    """Parse an on-demand query. Raises SyntaxInvalid."""
    result: OnDemandQuery = _parse(_without_end(text), "on_demand")
    return result


def parse_expression(text: str) -> Expression:
    """Parse an expression. Raises SyntaxInvalid."""
    result: Expression = _parse(text, "expression")
    return result


def parse_definition(text: str, kind: str) -> Definition:
    """Parse one definition of `kind` (stream, table, window, …). Raises SyntaxInvalid."""
    result: Definition = _parse(_without_end(text), f"{kind}_definition")
    return result


def _without_end(text: str) -> str:
    stripped = text.rstrip()
    return stripped[:-1] if stripped.endswith(";") else text
