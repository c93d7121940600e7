"""A client in Python: one module that needs the standard library only, Python 3.11 or later."""

from __future__ import annotations

import builtins
import keyword
import re
import textwrap
from collections.abc import Iterable, Sequence
from importlib import resources

from .calls import Call, Document, Parameter, Schema, words

_PLAIN = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None",
}  # fmt: skip
_WIDTH = 100
_TAKEN = frozenset((*keyword.kwlist, *dir(builtins), "self", "body", "call", "each"))


def write(document: Document) -> str:
    """Write the module."""
    # Aliases come first, since they are read where they stand; they refer to nothing.
    schemas = sorted(document.schemas.items(), key=lambda one: "properties" in one[1])
    types = [_type(document, name, schema) for name, schema in schemas]
    calls = [_function(document, call) for call in document.calls]
    base = resources.files(__package__).joinpath("python_client.txt").read_text()
    head = base.replace("{title}", document.title).replace("{version}", document.version)
    head = head.replace("{url}", repr(document.url)).replace("{feeds}", _left_out(document))
    before, after = head.split("# <types>\n")
    return before + "\n\n\n".join(types) + "\n\n\n" + after + "\n" + "\n\n".join(calls) + "\n"


def _left_out(document: Document) -> str:
    if not document.feeds:
        return ""
    return "\nFeeds are not among its methods: " + ", ".join(document.feeds) + ".\n"


def _type(document: Document, name: str, schema: Schema) -> str:
    properties = schema.get("properties")
    if not properties:
        return f"{name}: TypeAlias = {_of(document, schema)}"
    required = set(schema.get("required", ()))
    fields = {
        field: _of(document, inner) if field in required else f"NotRequired[{_of(document, inner)}]"
        for field, inner in properties.items()
    }
    text = _docstring(schema.get("description", ""), "    ")
    if all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
        lines = [f"    {field}: {kind}" for field, kind in fields.items()]
        return "\n".join([f"class {name}(TypedDict):", *text, *([""] if text else []), *lines])
    inside = ", ".join(f'{field!r}: "{kind}"' for field, kind in fields.items())
    return f"{name} = TypedDict({name!r}, {{{inside}}})"


def _of(document: Document, schema: Schema) -> str:
    """Write the type of a schema."""
    if (name := document.name_of(schema)) is not None:
        return name
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return _union(_of(document, one) for one in schema[either])
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(repr(one) for one in schema['enum'])}]"
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_of(document, schema.get('items', {}))}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"dict[str, {_of(document, inner) if isinstance(inner, dict) else 'Any'}]"
    if isinstance(kind, list):
        return _union(_of(document, {**schema, "type": one}) for one in kind)
    return _PLAIN.get(kind or "", "Any")


def _union(kinds: Iterable[str]) -> str:
    found = dict.fromkeys(kinds)
    return "Any" if "Any" in found else " | ".join(found)


def _function(document: Document, call: Call) -> str:
    places = {one.name: _name(one.name) for one in call.in_path}
    positional = [f"{name}: str" for name in places.values()]
    if call.body is not None:
        media_type, schema = call.body
        kind = "bytes" if schema is None else _of(document, schema)
        if media_type == "application/x-www-form-urlencoded":
            kind = "Mapping[str, str]"
        positional.append(f"body: {kind}" + ("" if call.body_required else " | None = None"))
    named = [_argument(document, one) for one in (*call.in_query, *call.in_headers)]
    # What has no default comes first, for readers; the order is of no account to callers.
    named.sort(key=lambda text: "=" in text)
    arguments = ["self", *positional, *(["*", *named] if named else [])]
    answer = "Any" if call.answer is None else _of(document, call.answer)
    given = [repr(call.method), _path(call.path, places)]
    if call.in_query:
        given.append("query=" + _dict(call.in_query))
    if call.in_headers:
        given.append("headers=" + _dict(call.in_headers))
    if call.body is not None:
        given += ["body=body", f"content_type={call.body[0]!r}"]
    answer = "None" if call.is_empty else answer
    asks = ("self.call(" if call.is_empty else "return self.call(", ")")
    if answer not in ("Any", "None"):
        asks = (f'return cast("{answer}", self.call(', "))")
    return "\n".join(
        [
            _listed(f"    def {_name(call.name)}(", arguments, f") -> {answer}:"),
            *_docstring(call.text, "        "),
            _listed(f"        {asks[0]}", given, asks[1]),
        ]
    )


def _listed(before: str, items: Sequence[str], after: str) -> str:
    """Write a list on one line where there is room, else on a line each."""
    line = before + ", ".join(items) + after
    if len(line) <= _WIDTH:
        return line
    indent = before[: len(before) - len(before.lstrip())]
    inside = "".join(f"{indent}    {item},\n" for item in items)
    return f"{before}\n{inside}{indent}{after}"


def _argument(document: Document, one: Parameter) -> str:
    kind = _of(document, one.schema)
    if one.required:
        return f"{_name(one.name)}: {kind}"
    return f"{_name(one.name)}: {_union([*kind.split(' | '), 'None'])} = None"


def _dict(parameters: Iterable[Parameter]) -> str:
    return "{" + ", ".join(f"{one.name!r}: {_name(one.name)}" for one in parameters) + "}"


def _path(path: str, places: dict[str, str]) -> str:
    if not places:
        return repr(path)
    filled = re.sub(r"\{(\w+)\}", lambda found: "{_part(" + places[found[1]] + ")}", path)
    return f'f"{filled}"'


def _name(name: str) -> str:
    made = "_".join(words(name)) or "value"
    return f"{made}_" if made in _TAKEN else made


def _docstring(text: str, indent: str) -> list[str]:
    text = text.replace("\\", "\\\\").replace('"""', "'''").strip()
    if not text:
        return []
    if text.endswith('"'):
        text += " "
    paragraphs = text.split("\n\n")
    lines = [
        line
        for number, paragraph in enumerate(paragraphs)
        for line in ([""] if number else [])
        + textwrap.wrap(paragraph, _WIDTH - 4 - len(indent), break_long_words=False)
    ]
    lines[0] = '"""' + lines[0]
    if len(lines) == 1:
        return [indent + lines[0] + '"""']
    return [indent + line if line else "" for line in (*lines, '"""')]
