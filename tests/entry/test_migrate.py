"""Migrations of real databases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cluster import fresh_database
from moorage.entry import migrate


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    with fresh_database(server_url, template="template0") as url:
        yield url


def test_processes_that_migrate_at_once_take_turns(empty_url: str, tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "moorage.entry.cli", "migrate"],
            env={
                **os.environ,
                "MOORAGE_DATABASE_URL": empty_url,
                "MOORAGE_DATA_DIR": str(tmp_path),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sum("went from nothing" in line for line in said) == 1
    assert sum("already" in line for line in said) == 2

    stands = migrate.revision(empty_url)
    assert stands.current == stands.head


def test_a_database_changed_by_a_newer_version_is_refused(empty_url: str) -> None:
    migrate.migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    with pytest.raises(migrate.DatabaseNewer, match="newer Moorage"):
        migrate.migrate(empty_url)


def test_a_server_that_does_not_answer_is_named_so() -> None:
    with pytest.raises(migrate.DatabaseUnreachable, match="MOORAGE_DATABASE_URL"):
        migrate.migrate("postgresql://moorage@127.0.0.1:9/moorage")
