"""What a client needs to know of an OpenAPI 3.1 document, whatever language it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
JSON = "application/json"
FEED = "text/event-stream"
# What is a name already, in one language or another.
_NOT_TYPES = frozenset(
    {
        "Any", "Array", "ArrayBuffer", "Asked", "Blob", "Callable", "Client", "Date", "Error",
        "Function", "Headers", "Iterator", "Literal", "Map", "Mapping", "NotRequired", "Object",
        "Options", "Problem", "Promise", "Record", "Request", "Response", "Set", "String",
        "Symbol", "TypeAlias", "TypedDict",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """What goes into a path, a query or a header; `name` as it is sent."""

    name: str
    schema: Schema
    required: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One operation.

    Attributes:
        name: words in camelCase or snake_case.
        body: its media type and schema; the schema is for JSON only.
        answer: the schema of a JSON answer; None where there may be another, or none at all.
        is_empty: whether nothing is answered.
    """

    name: str
    method: str
    path: str
    text: str
    in_path: tuple[Parameter, ...]
    in_query: tuple[Parameter, ...]
    in_headers: tuple[Parameter, ...]
    body: tuple[str, Schema | None] | None
    body_required: bool
    answer: Schema | None
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A document read.

    Attributes:
        url: where it is served.
        schemas: by the name that the client's types have.
        feeds: the paths that stream and have no function in a client.
    """

    title: str
    version: str
    url: str
    schemas: Mapping[str, Schema]
    names: Mapping[str, str]
    calls: Sequence[Call]
    feeds: Sequence[str]

    def name_of(self, schema: Schema) -> str | None:
        """Name the type that a schema refers to, if it does."""
        reference = schema.get("$ref")
        return None if reference is None else self.names[reference.rsplit("/", 1)[-1]]


def read(document: Mapping[str, Any]) -> Document:
    """Read what a client needs."""
    schemas = document["components"]["schemas"]
    names = _names(sorted(schemas))
    calls, feeds = [], []
    for path, item in document["paths"].items():
        for method, told in item.items():
            answers = _answers(told)
            if FEED in answers:
                feeds.append(path)
            else:
                calls.append(_call(path, method.upper(), told, answers))
    return Document(
        document["info"]["title"],
        document["info"]["version"],
        document["servers"][0]["url"],
        {names[name]: schemas[name] for name in sorted(_needed(schemas, calls))},
        names,
        calls,
        feeds,
    )


def _needed(schemas: Mapping[str, Any], calls: Sequence[Call]) -> set[str]:
    """Name the schemas that calls take or answer; those of problems are not among them."""
    given = [
        one.schema for call in calls for one in (*call.in_path, *call.in_query, *call.in_headers)
    ]
    answered = [part for call in calls for part in (call.body and call.body[1], call.answer)]
    return reached([*given, *answered], schemas)


def reached(part: Any, schemas: Mapping[str, Any]) -> set[str]:
    """Name the schemas that a part of a document needs, directly or by way of others."""
    found: set[str] = set()
    left = list(_references(part))
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _references(schemas[name])
    return found


def _references(part: Any) -> Iterator[str]:
    """Give the names of the schemas that a part of a document refers to."""
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rsplit("/", 1)[-1]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def words(name: str) -> list[str]:
    """Split a name into its words, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _answers(told: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, answer in told["responses"].items():
        if status.startswith("2"):
            found |= answer.get("content", {})
    return found


def _call(path: str, method: str, told: Mapping[str, Any], answers: Mapping[str, Any]) -> Call:
    parameters: dict[str, list[Parameter]] = {"path": [], "query": [], "header": [], "cookie": []}
    for one in told.get("parameters", ()):
        parameters[one["in"]].append(
            Parameter(one["name"], one["schema"], one.get("required", False))
        )
    content = told.get("requestBody", {}).get("content", {})
    body = None
    if content:
        kind = JSON if JSON in content else next(iter(content))
        body = kind, content[kind].get("schema") if kind == JSON else None
    schema = answers[JSON].get("schema") if set(answers) == {JSON} else None
    return Call(
        told["operationId"],
        method,
        path,
        told.get("description") or told["summary"],
        tuple(parameters["path"]),
        tuple(parameters["query"]),
        tuple(parameters["header"]),
        body,
        told.get("requestBody", {}).get("required", False),
        schema,
        not answers,
    )


def _names(schemas: Sequence[str]) -> dict[str, str]:
    """Give schemas names that are good types, and no two the same.

    Where two rooms of the server have a body of one name, the document puts the path of its module
    in front, and a page of a list is `PageOut_…_`.
    """
    made: dict[str, str] = {}
    taken = set(_NOT_TYPES)
    for schema in schemas:
        parts = [part for part in re.split(r"__|\W", schema.strip("_")) if part]
        name = parts[-1].removeprefix("PageOut_")
        if name != parts[-1]:
            name = f"{name}Page"
        rooms = ["".join(word.title() for word in words(part)) for part in parts[1:-1]]
        while name in taken and rooms:
            name = rooms.pop(0) + name
        while name in taken:
            name += "Body"
        taken.add(name)
        made[schema] = name
    return made
