"""The API of a running installation, as the command line opens it."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from httpx2 import Client, HTTPError, Response

from moorage.kit.errors import FieldInvalid, Kind, MoorageError

ApiKey = Annotated[str | None, Parameter(env_var="MOORAGE_API_KEY")]
Url = Annotated[str, Parameter(env_var="MOORAGE_URL")]
TIMEOUT_S = 30.0
# Lists that take no words to search for.
UNSEARCHED = ("permissions", "routes")
AGAIN_S = 1.0
SILENCE_S = 60.0  # Whatever is followed says something every 15 seconds.


class Refused(MoorageError):
    """The platform said no."""

    kind = Kind.INVALID
    code = "command.refused"
    message = "{what}"


class Unreachable(MoorageError):
    """The platform cannot be reached."""

    kind = Kind.UNAVAILABLE
    code = "command.unreachable"
    message = "{url} does not answer: {reason}"


@contextlib.contextmanager
def client_of(url: str, api_key: str | None, data_dir: Path | None) -> Iterator[Client]:
    """Open the API as somebody: an API key, or the first administrator of this machine's own."""
    with opened(url or own_url(data_dir)) as client:
        if api_key is not None:
            client.headers["X-API-KEY"] = api_key
            yield client
            return
        if url:
            raise FieldInvalid("--api-key", "is needed for another installation")
        ok(client.post("/api/v1/auth/link", json={"token": _sign_in_token(data_dir)}))
        client.headers["X-CSRF-Token"] = ok(client.get("/api/v1/auth/me")).json()["csrfToken"]
        try:
            yield client
        finally:
            with contextlib.suppress(HTTPError):
                client.post("/api/v1/auth/sign-out")


@contextlib.contextmanager
def opened(url: str) -> Iterator[Client]:
    """Open the API as nobody. Raises Unreachable."""
    try:
        with Client(base_url=url, timeout=TIMEOUT_S) as client:
            yield client
    except HTTPError as failed:
        raise Unreachable(url=url, reason=str(failed) or type(failed).__name__) from failed


def find(client: Client, kind: str, wanted: str) -> dict[str, Any]:
    """Find a thing by its id, its exact name or its e-mail address. Raises Refused."""
    answer = client.get(f"/api/v1/{kind}/{wanted}") if len(wanted) == 36 else None
    if answer is not None and answer.status_code == 200:
        found: dict[str, Any] = answer.json()
        return found
    query = {"limit": "500"} if kind in UNSEARCHED else {"limit": "50", "q": wanted}
    items = ok(client.get(f"/api/v1/{kind}", params=query)).json()["items"]
    folded = wanted.casefold()
    named = [one for one in items if folded in (_name(one), one.get("email", "").casefold())]
    if len(named) == 1:
        return dict(named[0])
    if named:
        ids = ", ".join(item["id"] for item in named)
        raise Refused(what=f"Several {kind} are named {wanted}; take an id: {ids}")
    near = ", ".join(item.get("name", item["id"]) for item in items[:5])
    raise Refused(
        what=f"None of the {kind} is named {wanted}." + (f" Near: {near}" if near else "")
    )


def _name(item: dict[str, Any]) -> str:
    return str(item.get("name", "")).casefold()


def ok(answer: Response) -> Response:
    """Give an answer, or say what the platform says. Raises Refused."""
    if answer.status_code < 400:
        return answer
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    what = problem.get("detail") or problem.get("title") or f"HTTP {answer.status_code}"
    wrong = [
        f"{one['pointer']} {one['detail']}"
        for one in problem.get("errors", ())
        if one["detail"] != what
    ]
    raise Refused(what="; ".join(wrong) or what)


def events(client: Client, path: str, query: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Give name and data of server-sent events, through every loss of connection but the first.

    Raises Refused, Unreachable.
    """
    ok(client.get("/api/v1/auth/me"))
    last = ""
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        with contextlib.suppress(HTTPError), client.stream(
            "GET", path, params=query, headers=headers, timeout=SILENCE_S
        ) as answer:  # fmt: skip
            if answer.status_code >= 400:
                answer.read()
                ok(answer)
            kind = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    last = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)
        complain("Connecting again …")
        time.sleep(AGAIN_S)


def say(line: str) -> None:
    """Write a line of the answer."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Write a line that is no answer."""
    sys.stderr.write(f"{line}\n")


def own_url(data_dir: Path | None) -> str:
    """Give the address of this machine's own API, whatever stands before it."""
    # Here and below: what a command for an installation elsewhere need not wait for.
    from moorage.entry import settings as configuration

    api = configuration.read(options={"data_dir": data_dir}).settings.api
    host = configuration.reachable_host(api.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{api.port}"


def _sign_in_token(data_dir: Path | None) -> str:
    """Make a link for the first administrator, as only who reads the database can."""
    from moorage import users
    from moorage.entry import settings as configuration
    from moorage.entry.first_run import in_transaction

    settings = configuration.read(options={"data_dir": data_dir}).settings
    _, link = in_transaction(settings, lambda tx: users.link_for(tx, None))
    return link.token
