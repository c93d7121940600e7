"""The embedded PostgreSQL: start, stop, accidents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from moorage.entry import postgres


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def values(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


def keep(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def test_data_survives_a_stop_and_every_kind_of_killing(data_dir: Path) -> None:
    with postgres.embedded(data_dir) as server:
        keep(server.url, 1)
    assert server.process.poll() is not None

    # The postmaster alone: its pid file is stale and its children may still hold on.
    server = postgres.start(data_dir)
    keep(server.url, 2)
    server.process.kill()
    server.process.wait()

    server = postgres.start(data_dir)
    assert values(server.url) == [1, 2]
    keep(server.url, 3)
    # Everything at once, as when the power goes.
    server.process.send_signal(signal.SIGSTOP)
    for process in (*psutil.Process(server.pid).children(), psutil.Process(server.pid)):
        process.kill()
    server.process.wait()

    # Its number now belongs to another process of its user.
    owner = (data_dir / "postgres").stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], user=owner)
    for lock_file in (
        data_dir / "postgres" / "postmaster.pid",
        server.sockets / ".s.PGSQL.5432.lock",
    ):
        lines = lock_file.read_text().splitlines()
        lock_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")

    with postgres.embedded(data_dir) as server:
        assert values(server.url) == [1, 2, 3]
    stranger.kill()
    stranger.wait()


def test_a_server_left_running_is_stopped_before_the_next_starts(data_dir: Path) -> None:
    left = postgres.start(data_dir, durable=False)
    keep(left.url, 1)
    with postgres.embedded(data_dir, durable=False) as server:
        assert left.process.wait(10) == 0
        assert values(server.url) == [1]


def test_the_server_stops_when_its_parent_is_killed(data_dir: Path) -> None:
    script = (
        "import sys, time, pathlib; from moorage.entry import postgres;"
        "print(postgres.start(pathlib.Path(sys.argv[1]), durable=False).pid, flush=True);"
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    for _ in range(600):
        if not psutil.pid_exists(pid):
            break
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    assert "database system is shut down" in (data_dir / "log" / "postgres.log").read_text()


def test_commits_are_durable_and_pages_are_checked(data_dir: Path) -> None:
    with postgres.embedded(data_dir) as server, psycopg.connect(server.url) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT upper('æ')").fetchone() == ("Æ",)


def test_options_of_the_operator_win(data_dir: Path) -> None:
    with (
        postgres.embedded(data_dir, durable=False, options={"work_mem": "13MB"}) as server,
        psycopg.connect(server.url) as connection,
    ):
        assert connection.execute("SHOW work_mem").fetchone() == ("13MB",)


def test_a_wrong_option_is_named_and_nothing_is_left_running(data_dir: Path) -> None:
    with pytest.raises(postgres.PostgresFailed, match="no_such_thing"):
        postgres.start(data_dir, durable=False, options={"no_such_thing": "1"})
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    (data_dir / "run").mkdir(parents=True)
    with postgres.embedded(data_dir, durable=False) as server:
        keep(server.url, 1)
        assert server.url == postgres.url_of(data_dir)
        assert str(data_dir) not in server.url
    assert not server.sockets.exists()


def test_a_directory_of_another_major_version_is_refused_in_words(data_dir: Path) -> None:
    with postgres.embedded(data_dir, durable=False):
        pass
    version = data_dir / "postgres" / "PG_VERSION"
    version.write_text("19\n")
    with pytest.raises(postgres.PostgresVersionDiffers, match="made by PostgreSQL 19"):
        postgres.start(data_dir)
    version.write_text("18\n")
    with postgres.embedded(data_dir, durable=False):
        pass


def test_a_half_made_cluster_is_never_taken_for_whole(data_dir: Path) -> None:
    half = data_dir / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with postgres.embedded(data_dir, durable=False) as server:
        keep(server.url, 1)
    assert not half.exists()


def test_the_server_has_a_user_of_its_own_under_root_else_ours(data_dir: Path) -> None:
    for directory in (data_dir, *data_dir.parents):
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(directory.stat().st_mode | 0o001)
    with postgres.embedded(data_dir, durable=False) as server:
        found = psutil.Process(server.pid).uids().effective
        assert found == (os.geteuid() or postgres.DATABASE_UID)
        assert (data_dir / "postgres").stat().st_uid == found


def test_the_server_works_in_a_directory_that_only_its_owner_reaches(data_dir: Path) -> None:
    closed = data_dir / "closed"
    (closed / "data" / "run").mkdir(parents=True)
    closed.chmod(0o700)
    with postgres.embedded(closed / "data", durable=False) as server:
        keep(server.url, 1)
        assert (closed / "data" / "postgres").stat().st_uid == os.geteuid()
    with postgres.embedded(closed / "data", durable=False) as server:
        assert values(server.url) == [1]
