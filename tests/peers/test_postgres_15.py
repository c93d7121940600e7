"""The platform's main road on the oldest PostgreSQL it takes, as Debian packages it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from httpx2 import Client

from parts import (
    MOORAGE,
    answers,
    curl,
    device_with_key,
    environment_of,
    latest,
    mosquitto_pub,
    running,
    said,
    sign_in,
    until,
)
from ports import free_ports

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
SERVER_PASSWORD = "of-the-server"
PASSWORD = "of-the-platform"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL 15 on the loopback, with an empty database of an ordinary role."""

    cluster: Path
    port: int
    user: pwd.struct_passwd

    @property
    def url(self) -> str:
        return f"postgresql://moorage:{PASSWORD}@127.0.0.1:{self.port}/moorage"

    def control(self, *words: str) -> None:
        """Run pg_ctl as the server's user, who may not be root."""
        log = self.cluster / "server.log"
        self.do(PROGRAMS / "pg_ctl", "--pgdata", self.cluster, "--log", log, "--wait", *words)

    def do(self, *command: str | Path) -> None:
        identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        done = subprocess.run(
            command,
            cwd=self.cluster,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **(identity if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def server() -> Iterator[Server]:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    # Not under pytest's own directory, which nobody else may enter.
    cluster = Path(tempfile.mkdtemp(prefix="moorage-postgres-15-"))
    made = Server(cluster, free_ports(1)[0], user)
    try:
        password_file = cluster.with_suffix(".password")
        password_file.write_text(SERVER_PASSWORD)
        password_file.chmod(0o644)
        os.chown(cluster, user.pw_uid, user.pw_gid)
        made.do(
            *(PROGRAMS / "initdb", "--pgdata", cluster, "--username", "server"),
            *("--auth", "scram-sha-256", "--pwfile", password_file, "--no-sync"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        password_file.unlink()
        with (cluster / "postgresql.conf").open("a") as settings:
            settings.write(f"port = {made.port}\nunix_socket_directories = ''\nfsync = off\n")
        made.control("start")
        try:
            make_database(made)
            yield made
        finally:
            made.control("--mode", "immediate", "stop")
    finally:
        shutil.rmtree(cluster)


def make_database(server: Server) -> None:
    url = f"postgresql://server:{SERVER_PASSWORD}@127.0.0.1:{server.port}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE moorage LOGIN PASSWORD '{PASSWORD}'")
        connection.execute("CREATE DATABASE moorage OWNER moorage")


def test_what_devices_send_is_read_back_and_a_restart_of_the_database_loses_nothing(
    server: Server, tmp_path: Path
) -> None:
    environment = environment_of(tmp_path, DATABASE_URL=server.url)
    said([*MOORAGE, "migrate"], environment)
    with ExitStack() as stack:
        started = [
            stack.enter_context(running([*MOORAGE, part], environment, tmp_path / f"{part}.log"))
            for part in ("api", "listen", "work")
        ]
        url = f"http://localhost:{environment['MOORAGE_API_PORT']}"
        client = stack.enter_context(Client(base_url=url, timeout=60))
        until(lambda: answers(client, "/health"), *started)
        sign_in(
            client,
            said([*MOORAGE, "user", "add", "a@example.org", "Anna", "--admin"], environment),
        )
        device_id, secret = device_with_key(client)

        def has_come(series: str, value: float) -> bool:
            return latest(client, device_id).get(series) == value

        curl(environment, secret, http=1)
        publish = mosquitto_pub(environment, secret, "-m", '{"mqtt": 1}')
        until(lambda: subprocess.run(publish, capture_output=True).returncode == 0, *started)
        until(lambda: has_come("http", 1) and has_come("mqtt", 1), *started)

        lines = subprocess.Popen(
            mosquitto_pub(environment, secret, "-l"), stdin=subprocess.PIPE, text=True
        )
        assert lines.stdin is not None
        with lines, lines.stdin as device:
            say(device, before=2)
            until(lambda: has_come("before", 2), *started)
            server.control("--mode", "fast", "stop")
            say(device, meanwhile=3)
            server.control("start")
            say(device, after=4)
            until(lambda: answers(client, "/health"), *started)
            until(lambda: has_come("meanwhile", 3) and has_come("after", 4), *started)
        assert lines.returncode == 0
        curl(environment, secret, http=5)
        until(lambda: has_come("http", 5), *started)
        messages = client.get(f"/api/v1/devices/{device_id}/messages").json()["items"]
        assert len(messages) == 6


def say(device: object, **values: float) -> None:
    print(json.dumps(values), file=device, flush=True)  # type: ignore[call-overload]
