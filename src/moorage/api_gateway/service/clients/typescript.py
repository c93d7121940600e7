"""A client in TypeScript: one module over `fetch`, for browsers and Node 18 or later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from importlib import resources

from .calls import Call, Document, Parameter, Schema, words

_PLAIN = {
    "string": "string", "integer": "number", "number": "number", "boolean": "boolean",
    "null": "null",
}  # fmt: skip
_WIDTH = 110
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
_TAKEN = frozenset({"call", "each", "delete", "new", "in", "body", "given", "function", "default"})


def write(document: Document) -> str:
    """Write the module."""
    types = [_type(document, name, schema) for name, schema in document.schemas.items()]
    calls = [_method(document, call) for call in document.calls]
    base = resources.files(__package__).joinpath("typescript_client.txt").read_text()
    head = base.replace("{title}", document.title).replace("{version}", document.version)
    head = head.replace("{url}", json.dumps(document.url)).replace("{feeds}", _left_out(document))
    before, after = head.split("// <types>\n")
    return before + "\n\n".join(types) + "\n\n" + after + "\n" + "\n\n".join(calls) + "\n}\n"


def _left_out(document: Document) -> str:
    if not document.feeds:
        return ""
    return " *\n * Feeds are not among its methods: " + ", ".join(document.feeds) + ".\n"


def _type(document: Document, name: str, schema: Schema) -> str:
    properties = schema.get("properties")
    text = _comment(schema.get("description", ""), "")
    if not properties:
        return "\n".join([*text, f"export type {name} = {_of(document, schema)}"])
    required = set(schema.get("required", ()))
    fields = [
        f"  {_key(field)}{'' if field in required else '?'}: {_of(document, inner)}"
        for field, inner in properties.items()
    ]
    return "\n".join([*text, f"export interface {name} {{", *fields, "}"])


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)


def _of(document: Document, schema: Schema) -> str:
    """Write the type of a schema."""
    if (name := document.name_of(schema)) is not None:
        return name
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return _union(_of(document, one) for one in schema[either])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return _union(json.dumps(one) for one in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return f"Array<{_of(document, schema.get('items', {}))}>"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"Record<string, {_of(document, inner) if isinstance(inner, dict) else 'unknown'}>"
    if isinstance(kind, list):
        return _union(_of(document, {**schema, "type": one}) for one in kind)
    return _PLAIN.get(kind or "", "unknown")


def _union(kinds: Iterable[str]) -> str:
    found = dict.fromkeys(kinds)
    return "unknown" if "unknown" in found else " | ".join(found)


def _method(document: Document, call: Call) -> str:
    places = {one.name: _name(one.name) for one in call.in_path}
    arguments = [f"{name}: string" for name in places.values()]
    if call.body is not None:
        media_type, schema = call.body
        kind = "Blob | Uint8Array<ArrayBuffer>" if schema is None else _of(document, schema)
        if media_type == "application/x-www-form-urlencoded":
            kind = "Record<string, string>"
        arguments.append(f"body: {kind}" + ("" if call.body_required else " | undefined"))
    given = (*call.in_query, *call.in_headers)
    if given:
        needed = any(one.required for one in given)
        fields = "; ".join(_field(document, one) for one in given)
        arguments.append(f"given: {{ {fields} }}" + ("" if needed else " = {}"))
    answer = "unknown" if call.answer is None else _of(document, call.answer)
    if call.is_empty:
        answer = "void"
    asked = [json.dumps(call.method), _path(call.path, places)]
    more = []
    if call.in_query:
        more.append("query: " + _object(call.in_query))
    if call.in_headers:
        more.append("headers: " + _object(call.in_headers))
    if call.body is not None:
        more.append(f"body, contentType: {json.dumps(call.body[0])}")
    if more:
        asked.append(f"{{ {', '.join(more)} }}")
    return "\n".join(
        [
            *_comment(call.text, "  "),
            _listed(f"  {_name(call.name)}(", arguments, f"): Promise<{answer}> {{"),
            _listed("    return this.call(", asked, f") as Promise<{answer}>"),
            "  }",
        ]
    )


def _listed(before: str, items: Sequence[str], after: str) -> str:
    """Write a list on one line where there is room, else on a line each."""
    line = before + ", ".join(items) + after
    if len(line) <= _WIDTH:
        return line
    indent = before[: len(before) - len(before.lstrip())]
    inside = "".join(f"{indent}  {item},\n" for item in items)
    return f"{before}\n{inside}{indent}{after}"


def _field(document: Document, one: Parameter) -> str:
    return f"{_name(one.name)}{'' if one.required else '?'}: {_of(document, one.schema)}"


def _object(parameters: Iterable[Parameter]) -> str:
    inside = ", ".join(f"{json.dumps(one.name)}: given.{_name(one.name)}" for one in parameters)
    return f"{{ {inside} }}"


def _path(path: str, places: dict[str, str]) -> str:
    if not places:
        return json.dumps(path)
    return "`" + re.sub(r"\{(\w+)\}", lambda one: "${part(" + places[one[1]] + ")}", path) + "`"


def _name(name: str) -> str:
    first, *others = words(name) or ["value"]
    made = first + "".join(word.title() for word in others)
    return f"{made}_" if made in _TAKEN else made


def _comment(text: str, indent: str) -> list[str]:
    if not (text := text.replace("*/", "* /").strip()):
        return []
    lines = text.splitlines()
    if len(lines) == 1:
        return [f"{indent}/** {text} */"]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]
