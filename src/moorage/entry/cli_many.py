"""`moorage many`: the same done to many things, as a task that is followed to its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from httpx2 import Client, QueryParams

from moorage.entry.cli_things import File, agreed, body_of, progress_bar, query_of
from moorage.entry.remote import ApiKey, Refused, Url, client_of, ok
from moorage.entry.rows import show

LOOK_EVERY_S = 0.5
PAGE = 500
OUTCOMES = ("updated", "unchanged", "removed", "failed")


def many(
    kind: Literal["devices"],
    verb: Literal["change", "move", "remove"],
    /,
    *fields: str,
    where: Annotated[list[str] | None, Parameter(consume_multiple=False)] = None,
    file: File = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> int:
    """Do the same to many things; those it could not be done to are named (exit code 1).

    Such as: moorage many devices change --where application=Bins changes.state=maintenance.

    Args:
        kind: what they are.
        verb: what to do.
        fields: what that needs, such as changes.state=active addTags='["north"]' application=Bins.
        where: a filter of the list's, such as state=active or application=Bins; all must hold.
        file: JSON object with fields; - for standard input.
        yes: do not ask before anything is removed.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        query = QueryParams(tuple(query_of(client, where or [])))
        body = body_of(client, fields, file, needed=False)
        if verb == "remove" and not yes:
            counted = client.get(f"/api/v1/{kind}", params=query.merge({"limit": 1, "total": True}))
            found = len(body.get("deviceIds", ())) or ok(counted).json()["total"]
            if not agreed(f"Remove {found} {kind} with everything they sent?"):
                raise Refused(what="Nothing was removed; --yes answers the question.")
        asked = ok(client.post(f"/api/v1/{kind}/{verb}", params=query, json=body)).json()
        task = _followed(client, asked)
        if task["state"] != "completed":
            raise Refused(what=task["problem"] or f"The task {task['id']} was {task['state']}.")
        failed = list(_failed(client, task["id"])) if task["result"].get("failed") else []
    if failed:
        show(failed, as_json=False)
    counts = task["result"]
    told = ", ".join(f"{counts[one]} {one}" for one in OUTCOMES if one in counts)
    sys.stdout.write(f"{told}\n")
    return int(bool(failed))


def _followed(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end of a task; who interrupts leaves it going on."""
    with progress_bar() as progress:
        bar = progress.add_task(task["kind"], total=task["total"])
        while task["state"] in ("waiting", "running"):
            time.sleep(LOOK_EVERY_S)
            task = ok(client.get(f"/api/v1/tasks/{task['id']}")).json()
            progress.update(bar, completed=task["done"])
    return task


def _failed(client: Client, task_id: str) -> Iterator[dict[str, str]]:
    query: dict[str, Any] = {"failed": True, "limit": PAGE}
    while True:
        page = ok(client.get(f"/api/v1/tasks/{task_id}/rows", params=query)).json()
        for row in page["items"]:
            yield {"name": row["name"] or row["subjectId"], "problem": row["problem"]["detail"]}
        if page["next"] is None:
            return
        query["after"] = page["next"]
