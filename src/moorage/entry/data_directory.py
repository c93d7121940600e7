"""The directory that holds everything an installation keeps; one supervisor at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from moorage.kit.errors import Kind, MoorageError


class DataDirectoryInUse(MoorageError):
    """Another supervisor works on the data directory."""

    kind = Kind.CONFLICT
    code = "data_directory.in_use"
    message = (
        "Moorage already runs on {directory} (process {pid}). Stop that one first, or set "
        "MOORAGE_DATA_DIR to another directory."
    )


class DataDirectoryUnusable(MoorageError):
    """The data directory cannot be made or written."""

    kind = Kind.CONFLICT
    code = "data_directory.unusable"
    message = (
        "The data directory {directory} cannot be used: {reason}. Mend that, or set "
        "MOORAGE_DATA_DIR to another directory."
    )


def demo_wish(directory: Path) -> Path:
    """Give the file that stands as long as `moorage run` shall play the demo."""
    return directory / "demo.wanted"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[Path]:
    """Make `directory` where it is missing and hold it for this process alone.

    Raises:
        DataDirectoryInUse: another process holds it.
        DataDirectoryUnusable: it cannot be made or written.
    """
    # The database's user must pass through when root starts us; listing stays ours.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        directory.mkdir(mode=mode, parents=True, exist_ok=True)
        (directory / "run").mkdir(mode=mode, exist_ok=True)
        lock = (directory / "run" / "lock").open("a+")
    except OSError as failed:
        raise DataDirectoryUnusable(
            directory=str(directory), reason=failed.strerror or str(failed)
        ) from failed
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            raise DataDirectoryInUse(directory=str(directory), pid=pid) from busy
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield directory
