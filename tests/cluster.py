"""One throwaway PostgreSQL for a whole test session, shared by all its processes.

Run as a script it is the guard: it starts the cluster in a directory, makes the migrated template,
writes `url` (or `failed`), and removes everything when the session's process is gone.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from moorage.entry import data_directory, migrate, postgres

TEMPLATE = "moorage_template"
# A platform holds up to 40 connections, and the processes of a session run several at once.
OPTIONS = {"max_connections": "400"}
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 2**30


def directory_of(session_pid: int) -> Path:
    """Give where a session's server keeps its files: in memory where there is room.

    A database is a thousand small files, and nearly every test makes one.
    """
    name = f"moorage-tests-{session_pid}"
    if (MEMORY / name).exists():
        return MEMORY / name
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    return (MEMORY if roomy else Path(tempfile.gettempdir())) / name


def shared(directory: Path, session_pid: int) -> str:
    """Give the URL of the session's server; whoever asks first starts it."""
    directory.mkdir(parents=True, exist_ok=True)
    answer, failure = directory / "url", directory / "failed"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists() and not failure.exists():
            subprocess.Popen(
                [sys.executable, __file__, str(directory), str(session_pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            ).returncode = 0  # It outlives us on purpose.
            while not answer.exists() and not failure.exists():
                time.sleep(0.02)
    if failure.exists():
        raise RuntimeError(f"The test database did not start:\n{failure.read_text()}")
    return answer.read_text()


@contextmanager
def fresh_database(server_url: str, template: str = TEMPLATE) -> Iterator[str]:
    """Give the URL of a new copy of the migrated template, dropped at the end."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield database_url(server_url, name)
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def database_url(server_url: str, name: str) -> str:
    """Give the URL of another database of the same server."""
    return server_url.replace(f"/{postgres.DATABASE}?", f"/{name}?", 1)


def name_of(url: str) -> str:
    """Give the name of the database that a URL of `database_url` is of."""
    return conninfo_to_dict(url)["dbname"]


def guard(directory: Path, session_pid: int) -> None:
    """Serve until the session's process is gone."""
    session = os.pidfd_open(session_pid)
    try:
        with (
            data_directory.locked(directory),
            postgres.embedded(directory, durable=False, options=OPTIONS) as server,
        ):
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {TEMPLATE}")
            migrate.migrate(database_url(server.url, TEMPLATE))
            made = directory / "url.new"
            made.write_text(server.url)
            made.rename(directory / "url")
            select.select([session], [], [])
    except BaseException:
        (directory / "failed").write_text(traceback.format_exc())
        select.select([session], [], [])
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    guard(Path(sys.argv[1]), int(sys.argv[2]))
