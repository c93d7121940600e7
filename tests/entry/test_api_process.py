"""`moorage api` and `moorage user` as processes, as an operator runs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from httpx2 import Client, ConnectError

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli"]


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")},
        "MOORAGE_DATABASE_URL": database_url,
        "MOORAGE_DATA_DIR": str(tmp_path),
        "MOORAGE_API_PORT": str(port),
    }


@pytest.fixture
def api(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
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
