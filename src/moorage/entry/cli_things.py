"""`moorage get`, `create`, `change`, `remove`, `import`, `export`: what an installation holds.

Whatever the API lists can be listed, and whatever it makes can be made; fields have the API's
names. Another thing is named by its id or its name: `application=Bins` is `applicationId=…`.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from httpx2 import Client, QueryParams
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from moorage.entry.remote import ApiKey, Refused, Url, client_of, find, ok
from moorage.entry.rows import AsJson, show
from moorage.kit.errors import FieldInvalid

Kind = Literal[
    "api-keys", "applications", "audit", "brokers", "decoders", "devices", "inbox", "invitations",
    "notices", "operations", "organizations", "permissions", "refusals", "routes", "sources",
    "system-log", "targets", "tasks", "users",
]  # fmt: skip
Made = Literal[
    "api-keys", "applications", "brokers", "decoders", "devices", "invitations", "organizations",
    "permissions", "routes", "sources", "targets", "users",
]  # fmt: skip
COLUMNS = {
    "api-keys": "id name scopes expiresAt usedAt",
    "applications": "id name status deviceCount endDate",
    "audit": "at name callerLabel subjectId",
    "brokers": "id name kind askedAt",
    "decoders": "id name kind version deviceCount failures",
    "devices": "id name kind state connectivity lastSeenAt",
    "inbox": "id sender kind messageCount lastSeenAt",
    "invitations": "id email name expiresAt",
    "notices": "openedAt kind subjectName state",
    "operations": "id code state deviceId createdAt",
    "organizations": "id name timeZone",
    "permissions": "id name roles memberCount",
    "refusals": "lastAt reason protocol address count detail",
    "routes": "id name source enabled",
    "sources": "id name url paused",
    "system-log": "at part level event",
    "targets": "id name kind paused pending deadLetters",
    "tasks": "id kind state done total",
    "users": "id email name active signedInAt",
}
# What a field or filter may name by its name, and where it is found.
NAMED = {
    "application": "applications",
    "decoder": "decoders",
    "device": "devices",
    "gateway": "devices",
    "inbox": "applications",
    "organization": "organizations",
    "target": "targets",
}
PAGE = 200
# Rows that an import sends at once, so that progress is seen.
ROWS = 500
File = Annotated[Path | None, Parameter(allow_leading_hyphen=True)]


def get(
    kind: Kind,
    name: str | None = None,
    part: str | None = None,
    *,
    where: Annotated[list[str] | None, Parameter(consume_multiple=False)] = None,
    columns: str = "",
    limit: int = 1_000,
    as_json: AsJson = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """List things, or show one.

    Args:
        kind: what to list.
        name: id or name of one; it is shown whole, as JSON.
        part: what is below it, such as credentials of a device; shown as JSON.
        where: a filter of the API's, such as state=active or application=Bins; all must hold.
        columns: fields to show, separated by commas.
        limit: how many at most.
        as_json: print JSON instead of a table.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        if name is not None:
            found_one = find(client, kind, name)
            if part is None:
                print_json(found_one)
                return
            path = f"/api/v1/{kind}/{found_one['id']}/{part}"
            query = QueryParams(tuple(query_of(client, where or [])))
            print_json(ok(client.get(path, params=query)).json())
            return
        found = list(_pages(client, kind, query_of(client, where or []), limit))
    if as_json:
        print_json(found)
        return
    shown = columns.split(",") if columns else COLUMNS[kind].split()
    show(
        [{column: _cell(item.get(column)) for column in shown} for item in found],
        as_json=False,
        empty=f"There are no {kind}.",
    )


def create(
    kind: Made,
    /,
    *fields: str,
    file: File = None,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Make a thing and print it, with the secret that is shown only now if it has one.

    Args:
        kind: what to make.
        fields: its fields, such as name=Bin application=Bins tags='["north"]'.
        file: JSON object with fields; - for standard input.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        body = body_of(client, fields, file)
        print_json(ok(client.post(f"/api/v1/{kind}", json=body)).json())


def change(
    kind: Made,
    name: str,
    /,
    *fields: str,
    file: File = None,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Change fields of a thing and print it as it is now; refused if it changed meanwhile.

    Args:
        kind: what to change.
        name: id or name.
        fields: such as state=suspended metadata.floor=2; null clears one.
        file: JSON object with fields; - for standard input.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        path = f"/api/v1/{kind}/{find(client, kind, name)['id']}"
        was = ok(client.get(path))
        headers = {"If-Match": was.headers["ETag"]} if "ETag" in was.headers else {}
        body = body_of(client, fields, file)
        print_json(ok(client.patch(path, json=body, headers=headers)).json())


def remove(
    kind: Made,
    name: str,
    /,
    *,
    yes: Annotated[bool, Parameter(negative="")] = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Remove a thing.

    Args:
        kind: what to remove.
        name: id or name.
        yes: do not ask.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        found = find(client, kind, name)
        named = found.get("name") or found.get("email") or found["id"]
        if not yes and not agreed(f"Remove {named} ({found['id']}) of the {kind}?"):
            raise Refused(what="Nothing was removed; --yes answers the question.")
        ok(client.delete(f"/api/v1/{kind}/{found['id']}"))


def import_(
    kind: Literal["devices"],
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    application: str | None = None,
    preview: Annotated[bool, Parameter(negative="")] = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> int:
    """Enrol and change devices from a CSV file; bad rows are named and left out (exit code 1).

    Args:
        kind: what to import.
        file: CSV with a header, as `moorage export devices` writes it; - for standard input.
        application: id or name of the application of rows that name none.
        preview: only say what would happen.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    header, *rows = list(csv.reader(io.StringIO(_text(file)))) or [[]]
    if not header:
        raise FieldInvalid("FILE", "is empty; its first line names the columns")
    counts = dict.fromkeys(("created", "updated", "unchanged", "failed"), 0)
    bad: list[dict[str, str]] = []
    with client_of(url, api_key, data_dir) as client, progress_bar() as progress:
        query: dict[str, Any] = {"mode": "partial", "preview": preview}
        if application is not None:
            query["applicationId"] = find(client, "applications", application)["id"]
        bar = progress.add_task(kind, total=len(rows))
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            content = io.StringIO()
            csv.writer(content).writerows([header, *some])
            report = ok(
                client.post(
                    f"/api/v1/{kind}/import",
                    params=query,
                    content=content.getvalue().encode(),
                    headers={"Content-Type": "text/csv"},
                )
            ).json()
            for name in counts:
                counts[name] += report[name]
            bad += [_bad_row(start, row) for row in report["rows"] if row["problem"]]
            progress.advance(bar, len(some))
    if bad:
        show(bad, as_json=False)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    sys.stdout.write(f"{'Would be: ' if preview else ''}{told}\n")
    return int(bool(counts["failed"]))


def export(
    kind: Literal["devices", "audit"],
    /,
    *,
    as_json: AsJson = False,
    where: Annotated[list[str] | None, Parameter(consume_multiple=False)] = None,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Write devices or audit entries to standard output as CSV; never a secret.

    Args:
        kind: what to write.
        as_json: write one JSON object a line instead.
        where: a filter of the API's, such as application=Bins; all must hold.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    path = "/api/v1/devices/export" if kind == "devices" else "/api/v1/audit"
    headers = {"Accept": "application/x-ndjson" if as_json else "text/csv"}
    with (
        client_of(url, api_key, data_dir) as client,
        client.stream(
            "GET", path, params=QueryParams(tuple(query_of(client, where or []))), headers=headers
        ) as answer,
    ):
        if answer.status_code >= 400:
            answer.read()
            ok(answer)
        for piece in answer.iter_bytes():
            sys.stdout.buffer.write(piece)


def _bad_row(start: int, row: dict[str, Any]) -> dict[str, str]:
    problem = row["problem"]
    line = str(start + row["line"])
    return {"line": line, "column": problem["column"] or "", "problem": problem["detail"]}


# --- Steps ------------------------------------------------------------------


def _pages(
    client: Client, kind: str, query: Sequence[tuple[str, str]], limit: int
) -> Iterator[dict[str, Any]]:
    after = None
    while limit > 0:
        page = {"limit": str(min(limit, PAGE))} | ({} if after is None else {"after": after})
        found = ok(client.get(f"/api/v1/{kind}", params=[*query, *page.items()])).json()
        yield from found["items"]
        limit -= len(found["items"])
        after = found["next"]
        if after is None:
            return


def query_of(client: Client, where: Sequence[str]) -> list[tuple[str, str]]:
    """Make parameters of filters such as `application=Bins`. Raises FieldInvalid, Refused."""
    return [_reference(client, *_pair(one)) for one in where]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise FieldInvalid(text, "is written as name=value")
    return name, value


def _reference(client: Client, name: str, value: str) -> tuple[str, str]:
    if name in NAMED:
        return f"{name}Id", str(find(client, NAMED[name], value)["id"])
    return name, value


def body_of(
    client: Client, fields: Sequence[str], file: Path | None, *, needed: bool = True
) -> dict[str, Any]:
    """Make a request's body; a field within another changes that one alone.

    Raises:
        FieldInvalid: something is not written as it must be, or nothing is given though needed.
    """
    body: dict[str, Any] = {}
    if file is not None:
        try:
            body = json.loads(_text(file))
        except ValueError as wrong:
            raise FieldInvalid("--file", f"is not JSON: {wrong}") from wrong
        if not isinstance(body, dict):
            raise FieldInvalid("--file", "is not a JSON object")
    if needed and not fields and not body:
        raise FieldInvalid("FIELDS", "are missing; write them as name=value")
    for one in fields:
        name, value = _reference(client, *_pair(one))
        outer, _, inner = name.partition(".")
        if inner:
            # Metadata are texts, whatever they look like.
            told = value if outer == "metadata" and value != "null" else _value(value)
            body[outer] = {**(body.get(outer) or {}), inner: told}
        else:
            body[outer] = _value(value)
    return body


def _value(text: str) -> Any:
    """Read JSON; what is none is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise FieldInvalid(str(file), f"cannot be read: {wrong}") from wrong


def agreed(question: str) -> bool:
    """Ask whoever sits at the terminal; nobody there is a no."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def progress_bar() -> Progress:
    """Make a bar on standard error, where that is a terminal."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=not sys.stderr.isatty(),
    )  # fmt: skip


def print_json(value: Any) -> None:
    """Print an answer."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
