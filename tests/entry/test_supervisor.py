"""The supervisor, with a real database and real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from moorage.entry import postgres, state
from moorage.entry.state import Part, PartState

SUPERVISE = str(Path(__file__).with_name("supervise.py"))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextlib.contextmanager
def supervised(data_dir: Path, *kinds: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, SUPERVISE, str(data_dir), *kinds])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def until(true: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
    for _ in range(1200):
        if true():
            return
        assert process is None or process.poll() is None
        time.sleep(0.05)
    raise AssertionError("It did not come to pass.")


def part(data_dir: Path, name: str) -> Part:
    found = state.read(data_dir)
    assert found is not None
    return next(part for part in found.parts if part.name == name)


def is_ready(data_dir: Path, name: str, *, not_pid: int | None = None) -> bool:
    found = part(data_dir, name)
    return found.state is PartState.READY and found.pid != not_pid


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Find every process that names the directory in its arguments or works in it."""
    found = []
    for process in psutil.process_iter():
        try:
            named = any(str(data_dir) in word for word in process.cmdline())
            if named or process.cwd().startswith(str(data_dir)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_clean_stop_ends_parts_then_database_and_leaves_no_process(data_dir: Path) -> None:
    with supervised(data_dir, "one", "two") as process:
        until((data_dir / "welcome").exists, process)
        found = state.read(data_dir)
        assert found is not None
        assert found.pid == process.pid
        assert [part.name for part in found.parts] == ["postgres", "one", "two"]
        assert found.not_ready == {}

        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0

    assert (data_dir / "one.end").read_text() == "stopped in peace"
    assert (data_dir / "two.end").read_text() == "stopped in peace"
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    assert "database system is shut down" in (data_dir / "log" / "postgres.log").read_text()
    assert state.read(data_dir) is None
    assert processes_of(data_dir) == []


def test_a_killed_part_and_a_killed_database_come_back(data_dir: Path) -> None:
    with supervised(data_dir, "one") as process:
        until((data_dir / "welcome").exists, process)

        killed = part(data_dir, "one")
        os.kill(killed.pid or 0, signal.SIGKILL)
        until(lambda: is_ready(data_dir, "one", not_pid=killed.pid), process)
        assert part(data_dir, "one").restarts == 1

        one, database = part(data_dir, "one"), part(data_dir, "postgres")
        os.kill(database.pid or 0, signal.SIGKILL)
        until(lambda: is_ready(data_dir, "postgres", not_pid=database.pid), process)
        until(lambda: is_ready(data_dir, "one"), process)
        assert part(data_dir, "one").pid == one.pid
        with psycopg.connect(postgres.url_of(data_dir) or "") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_database_whose_recovery_is_killed_comes_back(data_dir: Path) -> None:
    with supervised(data_dir, "one") as process:
        until((data_dir / "welcome").exists, process)
        postmaster = psutil.Process(part(data_dir, "postgres").pid)
        until(lambda: kill_recovery_of(postmaster), process)
        until(lambda: is_ready(data_dir, "postgres", not_pid=postmaster.pid), process)
        with psycopg.connect(postgres.url_of(data_dir) or "") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def kill_recovery_of(postmaster: psutil.Process) -> bool:
    """Make a database recover and kill what recovers it; False if that was quicker."""
    for title in "walwriter", "startup":
        deadline = time.monotonic() + 1
        while (found := child_of(postmaster, title)) is None:
            if time.monotonic() > deadline:
                return False
        with contextlib.suppress(psutil.NoSuchProcess):
            found.kill()
            found.wait()
    # It ends with what recovers it, unless that was through with it.
    with contextlib.suppress(psutil.NoSuchProcess):
        while postmaster.status() != psutil.STATUS_ZOMBIE:
            if child_of(postmaster, "walwriter") is not None:
                return False
            time.sleep(0.01)
    return True


def child_of(postmaster: psutil.Process, title: str) -> psutil.Process | None:
    """Find a process of a database; psutil's list of them looks at all processes there are."""
    with contextlib.suppress(FileNotFoundError):
        pids = Path(f"/proc/{postmaster.pid}/task/{postmaster.pid}/children").read_text().split()
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                child = psutil.Process(int(pid))
                if title_of(child).startswith(f"postgres: {title}"):  # Backends start up, too.
                    return child
    return None


def title_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def test_a_killed_fork_server_takes_no_part_along_and_another_follows_it(data_dir: Path) -> None:
    with supervised(data_dir, "one", "two") as process:
        until((data_dir / "welcome").exists, process)
        before = part(data_dir, "one"), part(data_dir, "two")
        supervisor = psutil.Process(process.pid)
        assert {p.pid for p in before} <= {child.pid for child in supervisor.children()}

        (killed,) = fork_servers(supervisor)
        killed.suspend()
        os.kill(before[0].pid or 0, signal.SIGKILL)
        until(lambda: part(data_dir, "one").state is PartState.RESTARTING, process)
        killed.kill()
        until(lambda: is_ready(data_dir, "one", not_pid=before[0].pid), process)

        assert part(data_dir, "two") == before[1]
        (another,) = fork_servers(supervisor)
        assert another != killed


def fork_servers(supervisor: psutil.Process) -> list[psutil.Process]:
    found = [p for p in supervisor.children() if "part.py" in title_of(p)]
    return [p for p in found if not title_of(p).startswith("moorage ")]


def test_a_part_that_hangs_is_killed_and_started_again(data_dir: Path) -> None:
    with supervised(data_dir, "hang", "one") as process:
        until((data_dir / "welcome").exists, process)
        hung = part(data_dir, "hang")
        until(lambda: part(data_dir, "hang").restarts > 0, process)
        assert not psutil.pid_exists(hung.pid or 0)
        assert part(data_dir, "one").restarts == 0


def test_no_process_outlives_a_killed_supervisor_and_the_next_one_starts(data_dir: Path) -> None:
    with supervised(data_dir, "one") as process:
        until((data_dir / "welcome").exists, process)
        process.kill()
        process.wait()
        assert state.read(data_dir) is None
        until(lambda: processes_of(data_dir) == [])

    (data_dir / "welcome").unlink()
    with supervised(data_dir, "one") as process:
        until((data_dir / "welcome").exists, process)


def test_a_second_supervisor_of_a_directory_is_refused_in_words(data_dir: Path) -> None:
    with supervised(data_dir, "one") as process:
        until((data_dir / "welcome").exists, process)
        second = subprocess.run(
            [sys.executable, SUPERVISE, str(data_dir), "one"], capture_output=True, text=True
        )
        assert second.returncode == 1
        assert f"Moorage already runs on {data_dir} (process {process.pid})" in second.stderr
        assert process.poll() is None


def test_a_part_that_refuses_its_configuration_ends_the_start(data_dir: Path) -> None:
    with supervised(data_dir, "one", "refuse") as process:
        assert process.wait(60) == 1
    assert processes_of(data_dir) == []


def test_a_part_runs_only_as_long_as_it_is_wished_for(data_dir: Path) -> None:
    with supervised(data_dir, "steady", "wished") as process:
        until(lambda: (data_dir / "welcome").exists(), process)
        found = state.read(data_dir)
        assert found is not None
        assert [part.name for part in found.parts] == ["postgres", "steady"]
        for _ in range(2):
            (data_dir / "wish").touch()
            until(lambda: (found := state.read(data_dir)) and len(found.parts) == 3, process)
            until(lambda: is_ready(data_dir, "wished"), process)
            (data_dir / "wish").unlink()
            until(lambda: (found := state.read(data_dir)) and len(found.parts) == 2, process)
            assert (data_dir / "wished.end").read_text() == "stopped in peace"
            (data_dir / "wished.end").unlink()
