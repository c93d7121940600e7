"""`moorage api` and `moorage user` as processes, as an operator runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from httpx2 import Client, ConnectError

from moorage.entry import data_directory, migrate, postgres
from ports import free_port

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli"]


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")},
        "MOORAGE_DATABASE_URL": database_url,
        "MOORAGE_DATA_DIR": str(tmp_path),
        "MOORAGE_API_PORT": str(free_port()),
    }


@pytest.fixture
def api(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    with serving(environment) as made:
        yield made


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """Run the process until the block ends."""
    process = subprocess.Popen([*COMMAND, "api"], env=environment)
    url = f"http://localhost:{environment['MOORAGE_API_PORT']}"
    try:
        with Client(base_url=url, timeout=60) as client:
            while True:
                assert process.poll() is None
                try:
                    if client.get("/health").status_code == 200:
                        break
                except ConnectError:
                    time.sleep(0.05)
            yield process, client
    finally:
        process.kill()
        process.wait()


def moorage(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [*COMMAND, "user", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_process_serves_lets_in_by_a_printed_link_and_stops_in_peace(
    environment: dict[str, str], api: tuple[subprocess.Popen[bytes], Client]
) -> None:
    process, client = api
    first = moorage(environment, "add", "anna@example.org", "Anna", "--admin")
    assert "http://localhost:" in first
    printed = moorage(environment, "link", "anna@example.org")
    token = printed.strip().partition("#token=")[2]
    assert client.post("/api/v1/auth/link", json={"token": token}).status_code == 204
    assert client.get("/api/v1/auth/me").json()["label"] == "anna@example.org"
    assert client.get("/openapi.json").json()["info"]["title"] == "Moorage"

    moorage(environment, "add", "bo@example.org", "Bo")
    moorage(environment, "grant-admin", "bo@example.org")
    assert "anna@example.org" in moorage(environment, "list")
    moorage(environment, "deactivate", "anna@example.org")
    assert client.get("/api/v1/auth/me").status_code == 401

    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_it_ends_for_another_start_if_what_it_does_beside_requests_has_failed(
    environment: dict[str, str], api: tuple[subprocess.Popen[bytes], Client]
) -> None:
    process, _client = api
    with psycopg.connect(environment["MOORAGE_DATABASE_URL"], autocommit=True) as database:
        database.execute("ALTER TABLE ingest_usage RENAME TO elsewhere")
        database.execute("SELECT pg_notify('moorage_quotas', '')")
        assert process.wait(30) == 1
        database.execute("ALTER TABLE elsewhere RENAME TO ingest_usage")


def test_a_command_that_cannot_be_done_says_why_in_one_line(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [*COMMAND, "user", "link", "nobody@example.org"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.strip().splitlines() == [
        "moorage: There is no user nobody@example.org that you may see."
    ]


# --- From where somebody comes ------------------------------------------------

CHAIN = {"X-Forwarded-For": "198.51.100.6, 203.0.113.9, 127.0.0.5", "X-Forwarded-Proto": "https"}


def origins(database_url: str) -> list[str]:
    """Read from where people were refused, and devices."""
    with psycopg.connect(database_url) as connection:
        query = "SELECT origin FROM facts WHERE name = 'users.sign_in_refused' ORDER BY id"
        people = [row[0] for row in connection.execute(query)]
        query = "SELECT name FROM user_failures WHERE kind = 'address'"
        return people + [row[0] for row in connection.execute(query)]


@pytest.mark.parametrize(
    ("trusted", "seen"), [("", "127.0.0.1"), ('["127.0.0.0/8", "::1"]', "203.0.113.9")]
)
def test_who_forwards_is_believed_only_where_it_is_a_trusted_proxy(
    environment: dict[str, str], trusted: str, seen: str
) -> None:
    believed = bool(trusted)
    environment |= {"MOORAGE_API_TRUSTED_PROXIES": trusted}
    with serving(environment) as (_, client):
        wrong = {"email": "a@example.org", "password": "a wrong one"}
        client.post("/api/v1/auth/sign-in", json=wrong, headers=CHAIN)
        assert set(origins(environment["MOORAGE_DATABASE_URL"])) == {seen}

        moorage(environment, "add", "anna@example.org", "Anna", "--admin")
        token = moorage(environment, "link", "anna@example.org").strip().partition("#token=")[2]
        port = environment["MOORAGE_API_PORT"]
        headers = CHAIN | {"Origin": f"https://localhost:{port}"}
        entered = client.post("/api/v1/auth/link", json={"token": token}, headers=headers)
        assert entered.status_code == 204
        assert ("Secure" in entered.headers["set-cookie"]) is believed
        elsewhere = {**CHAIN, "Origin": "https://evil.example"}
        refused = client.post("/api/v1/auth/sign-in", json=wrong, headers=elsewhere)
        assert refused.json()["code"] == "api.origin_foreign"

        cookie = entered.headers["set-cookie"].partition(";")[0]
        assert client.post("/ingest/v1/up", headers=CHAIN).status_code == 401
        deadline = time.monotonic() + 30
        listed: list[dict[str, str]] = []
        while not listed and time.monotonic() < deadline:
            answer = client.get("/api/v1/refusals", headers={**CHAIN, "Cookie": cookie})
            listed = answer.json()["items"]
            time.sleep(0.1)
        assert [item["address"] for item in listed] == [seen]


def test_a_proxy_that_is_no_address_is_refused_in_words(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "config"],
        env=environment | {"MOORAGE_API_TRUSTED_PROXIES": '["proxy.example"]'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "write addresses or networks" in done.stderr


def test_doctor_asks_for_the_proxy_behind_an_https_address(environment: dict[str, str]) -> None:
    def told(**variables: str) -> str:
        done = subprocess.run(
            [*COMMAND, "doctor", "--json"],
            env=environment | {"MOORAGE_PUBLIC_URL": "https://iot.example.org"} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        found = [one for one in json.loads(done.stdout) if one["check"] == "reverse proxy"]
        return str(found[0]["health"])

    assert told() == "doubtful"
    assert told(MOORAGE_API_TRUSTED_PROXIES='["10.0.0.2"]') == "good"
    assert told(MOORAGE_API_TRUSTED_PROXIES='["0.0.0.0/0"]') == "bad"


# --- A database that hangs ----------------------------------------------------


def test_health_names_a_database_that_hangs_and_is_well_again_with_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)  # The server may run under another user.
    with (
        data_directory.locked(tmp_path),
        postgres.embedded(tmp_path, durable=False) as server,
    ):
        migrate.migrate(server.url)
        environment |= {"MOORAGE_DATABASE_URL": server.url}
        with serving(environment) as (_, client):
            postmaster = psutil.Process(server.pid)
            postmaster.suspend()  # First: it begins no further backend meanwhile.
            frozen = [postmaster, *postmaster.children(recursive=True)]
            for process in frozen:
                process.suspend()
            try:
                for _ in range(3):
                    # Rolled back first, a connection to a server that hangs takes 10 s more.
                    answer = client.get("/health", timeout=9)
                    assert answer.status_code == 503
                    assert answer.json()["notReady"]["database"] == "does not answer"
            finally:
                for process in frozen:
                    process.resume()
            while client.get("/health").status_code != 200:
                time.sleep(0.05)
