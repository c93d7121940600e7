"""The application as a whole: health, the document, the console's files, texts nobody can store."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from moorage import users
from moorage.api_gateway.middleware import PROTOCOL
from moorage.entry.console import Console
from web import World


async def test_health_names_what_is_not_ready(world: World) -> None:
    client = world.client()
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "notReady": {}})
    world.app.state.database = type(world.database)("postgresql://127.0.0.1:1/none", pool_size=1)
    answer = await client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["notReady"] == {"database": "does not answer"}
    answer = await client.get("/api/v1/auth/me", headers={"X-API-KEY": "mk_x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


async def test_the_document_says_how_to_sign_in_and_how_each_operation_fails(
    world: World,
) -> None:
    document = (await world.client().get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    people = {"accessToken", "apiKey", "session"}
    devices = {
        "deviceBearer", "deviceCertificate", "deviceKey", "deviceKeyInQuery", "devicePassword",
    }  # fmt: skip
    assert set(document["components"]["securitySchemes"]) == people | devices
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            for status, answer in operation["responses"].items():
                assert answer["description"], where
                if status >= "400" and path.startswith("/api/"):
                    # OAuth's protocol has errors of its own (RFC 6749, section 5.2).
                    own = path in PROTOCOL and status in ("400", "401")
                    told = [*(["application/json"] if own else []), "application/problem+json"]
                    assert list(answer["content"]) == told, where
    door = {path.removeprefix("/ingest/v1/") for path in document["paths"] if "/ingest/" in path}
    behind = {f"devices/{{device_id}}/{rest}" for rest in (
        "up", "up/{channel}", "op", "op/{operation_id}/result",
    )}  # fmt: skip
    own = {"up", "up/{channel}", "op", "op/{operation_id}/result", "chirpstack"}
    assert door == own | behind
    sign_in = document["paths"]["/api/v1/auth/sign-in"]["post"]
    assert "security" not in sign_in
    assert "`users.too_many_failures`" in sign_in["responses"]["429"]["description"]


async def test_texts_that_cannot_be_stored_are_refused_in_words(world: World) -> None:
    admin = await world.admin()
    listed = await admin.get("/api/v1/organizations", params={"q": "a\x00b"})
    assert (listed.status_code, listed.json()["code"]) == (422, "value_unfit")
    for content in (b'{"name": "a\\u0000b"}', b'{"name": "a", "settings": {"x": "\\ud800"}}'):
        made = await admin.post(
            "/api/v1/organizations", content=content, headers={"Content-Type": "application/json"}
        )
        assert made.status_code == 422


async def test_unknown_paths_and_methods_are_answered_as_problems(world: World) -> None:
    admin = await world.admin()
    missing = await admin.get("/api/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await admin.put("/api/v1/organizations", json={})
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert (await admin.get("/api/v1/organizations/")).status_code == 404


# --- The console's files ------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path) -> Path:
    directory = tmp_path / "console"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text("<title>the console</title>")
    (directory / "assets" / "app-1a2b.js").write_text("console.log(1)")
    (tmp_path / "secret.txt").write_text("outside")
    return directory


def client_of(directory: Path) -> AsyncClient:
    app = FastAPI(redirect_slashes=False)
    app.router.default = Console(directory)
    return AsyncClient(transport=ASGITransport(app), base_url="http://localhost")


async def test_every_path_of_the_console_gives_its_page_and_hashed_files_are_kept(
    built: Path,
) -> None:
    async with client_of(built) as client:
        for path in ("/", "/devices", "/devices/01a2/readings", "/sign-in"):
            page = await client.get(path)
            assert page.status_code == 200
            assert "the console" in page.text
            assert page.headers["Cache-Control"] == "no-cache"
        script = await client.get("/assets/app-1a2b.js")
        assert "immutable" in script.headers["Cache-Control"]
        assert "javascript" in script.headers["Content-Type"]
        for path in ("/assets/old-9f.js", "/api/v1/x", "/api", "/ingest/v1/up"):
            assert (await client.get(path)).status_code == 404
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt"):
            assert "outside" not in (await client.get(path)).text
        assert (await client.post("/devices")).status_code == 404


async def test_a_file_of_the_console_travels_in_the_smallest_copy_the_client_understands(
    built: Path,
) -> None:
    script = built / "assets" / "app-1a2b.js"
    script.write_text("console.log('quay');" * 200)
    copies = {"br": b"as brotli", "gzip": gzip.compress(script.read_bytes())}
    script.with_name("app-1a2b.js.br").write_bytes(copies["br"])
    script.with_name("app-1a2b.js.gz").write_bytes(copies["gzip"])
    tags = set()
    async with client_of(built) as client:
        for accepts, encoding in (
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("br;q=0, *", "gzip"),
            ("identity", None),
            ("", None),
            ("gzip;q=0.0, br; q=0", None),
        ):
            headers = {"Accept-Encoding": accepts}
            async with client.stream("GET", "/assets/app-1a2b.js", headers=headers) as answer:
                body = b"".join([chunk async for chunk in answer.aiter_raw()])
            assert answer.status_code == 200
            assert answer.headers.get("Content-Encoding") == encoding
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers["Content-Type"].startswith("text/javascript")
            assert "immutable" in answer.headers["Cache-Control"]
            expected = copies[encoding] if encoding else script.read_bytes()
            assert body == expected
            tags.add(answer.headers["ETag"])

            head = await client.head("/assets/app-1a2b.js", headers=headers)
            assert head.headers["Content-Length"] == str(len(expected))
            known = {**headers, "If-None-Match": answer.headers["ETag"]}
            same = await client.get("/assets/app-1a2b.js", headers=known)
            assert (same.status_code, same.headers["Vary"]) == (304, "Accept-Encoding")
            part = {**headers, "Range": "bytes=0-3"}
            async with client.stream("GET", "/assets/app-1a2b.js", headers=part) as answer:
                body = b"".join([chunk async for chunk in answer.aiter_raw()])
            assert (answer.status_code, body) == (206, expected[:4])
    assert len(tags) == 3


async def test_without_a_build_the_console_says_how_to_make_it(tmp_path: Path) -> None:
    async with client_of(tmp_path / "none") as client:
        answer = await client.get("/")
    assert answer.status_code == 404
    assert "make console" in answer.text


# --- The first start ----------------------------------------------------------


async def test_the_first_link_lets_an_administrator_in_and_then_there_is_none(
    world: World,
) -> None:
    async with world.database.begin() as tx:
        await users.first_link(tx)
    # A restart before anybody has signed in gives a fresh link for the same user.
    async with world.database.begin() as tx:
        link = await users.first_link(tx)
    assert link is not None
    client = world.client()
    answer = await client.post("/api/v1/auth/link", json={"token": link.token})
    assert answer.status_code == 204
    me = (await client.get("/api/v1/auth/me")).json()
    assert me["user"]["email"] is None
    assert "installation:manage" in me["grants"][0]["permissions"]
    client.headers["X-CSRF-Token"] = me["csrfToken"]
    changes = {"email": "me@example.org", "name": "Me"}
    named = await client.patch(f"/api/v1/users/{me['id']}", json=changes)
    assert named.json()["email"] == "me@example.org"
    async with world.database.begin() as tx:
        assert await users.first_link(tx) is None
        rows = await tx.execute("SELECT count(*) AS n FROM users")
        assert rows.scalar_one() == 1
