"""`moorage do`: everything else that can be done to a thing, as the API's document lists it.

What the API does by POST below a thing is a verb: `POST /api/v1/targets/{id}/pause` is
`moorage do targets NAME pause`. A new route needs nothing here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from cyclopts import Parameter
from httpx2 import Client

from moorage.entry.cli_things import File, body_of, print_json
from moorage.entry.remote import (
    ApiKey,
    Refused,
    Url,
    client_of,
    find,
    ok,
    opened,
    own_url,
)
from moorage.entry.rows import AsJson, show

_PATH = re.compile(r"/api/v1/(?P<kind>[a-z-]+)/\{\w+\}/(?P<verb>.+)")


@dataclass(frozen=True)
class Verb:
    """Something that can be done.

    Attributes:
        name: as typed; what is in capitals is an id.
        fields: those that must be given with a star; None if there are none to give.
    """

    kind: str
    name: str
    delete: bool
    fields: tuple[str, ...] | None
    does: str

    @property
    def shown(self) -> str:
        """What is to be typed."""
        return self.name + (" --delete" if self.delete else "")

    def fits(self, typed: str, *, delete: bool) -> bool:
        """Tell whether this is what was typed."""
        if delete is not self.delete:
            return False
        ours, theirs = self.name.split("/"), typed.split("/")
        return len(ours) == len(theirs) and all(
            own == other or own.isupper() for own, other in zip(ours, theirs, strict=True)
        )


def do(
    kind: str | None = None,
    name: str | None = None,
    verb: str | None = None,
    /,
    *fields: str,
    file: File = None,
    delete: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Do something to a thing and print the answer; without a verb, list what can be done.

    Such as: moorage do devices 'Bin 7' operations code=reboot; moorage do targets City pause.

    Args:
        kind: what it is; all kinds are listed when left out.
        name: its id or name.
        verb: what to do.
        fields: what that needs, such as application=Bins.
        file: JSON object with fields; - for standard input.
        delete: remove what the verb names, such as credentials/ID.
        as_json: list as JSON.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with opened(url or own_url(data_dir)) as client:
        verbs = list(_verbs(ok(client.get("/openapi.json")).json()))
    if kind is not None:
        kinds = {one.kind for one in verbs}
        if kind not in kinds:
            raise _unknown("kind", kind, kinds)
        verbs = [one for one in verbs if one.kind == kind]
    if kind is None or name is None or verb is None:
        rows = [
            {
                "kind": one.kind,
                "verb": one.shown,
                "fields": " ".join(one.fields or ()),
                "does": one.does,
            }
            for one in sorted(verbs, key=lambda one: (one.kind, one.shown))
        ]
        show(rows, as_json=as_json)
        return
    chosen = next((one for one in verbs if one.fits(verb, delete=delete)), None)
    if chosen is None:
        typed = verb + (" --delete" if delete else "")
        raise _unknown(f"verb of {kind}", typed, {one.shown for one in verbs})
    with client_of(url, api_key, data_dir) as client:
        body = body_of(client, fields, file, needed=False)
        if body and chosen.fields is None:
            raise Refused(what=f"{verb} takes no fields.")
        path = f"/api/v1/{kind}/{_id_of(client, kind, name)}/{verb}"
        given = None if chosen.fields is None else body
        answer = ok(client.request("DELETE" if delete else "POST", path, json=given))
    if answer.content:
        print_json(answer.json())


def _id_of(client: Client, kind: str, name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        return str(find(client, kind, name)["id"])


def _unknown(what: str, typed: str, known: Collection[str]) -> Refused:
    """Refuse with the nearest names."""
    near = difflib.get_close_matches(typed, known, n=3, cutoff=0.5)
    hint = (
        f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(sorted(known))}."
    )
    return Refused(what=f"There is no {what} named {typed}. {hint}")


def _verbs(document: dict[str, Any]) -> Iterator[Verb]:
    """Read the verbs off the OpenAPI document."""
    for path, operations in document["paths"].items():
        found = _PATH.fullmatch(path)
        for method, operation in operations.items() if found else ():
            if found and method in ("post", "delete"):
                name = re.sub(r"\{(\w+)\}", lambda part: part[1].upper(), found["verb"])
                yield Verb(
                    found["kind"],
                    name,
                    method == "delete",
                    _fields(document, operation),
                    operation.get("description", operation["summary"]).split("\n")[0],
                )


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> tuple[str, ...] | None:
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    schema = content["application/json"]["schema"]
    # A body that may be left out stands beside null.
    schema = next((one for one in schema.get("anyOf", ()) if "$ref" in one), schema)
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    needed = schema.get("required", ())
    return tuple(f"{one}*" if one in needed else one for one in schema.get("properties", ()))
