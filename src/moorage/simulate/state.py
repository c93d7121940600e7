"""What the demo keeps between two starts: its key, and its devices' secrets, for its owner only."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .errors import AlreadyRunning, StateUnreadable

FILE_NAME = "demo.json"


class State(msgspec.Struct, rename="camel", kw_only=True):
    """The demo of one installation.

    Attributes:
        began_at: when it was set up, in seconds since 1970.
        secrets: device keys by serial.
        has_history: whether the days before the start have been sent.
        receiver_port: where its data target listens.
    """

    organization_id: str
    api_key: str
    began_at: float
    secrets: dict[str, str] = {}
    has_history: bool = False
    receiver_port: int = 0


def load_state(data_dir: Path) -> State | None:
    """Read the state; None if there is none. Raises StateUnreadable."""
    path = data_dir / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as wrong:
        raise StateUnreadable(path=str(path), reason=str(wrong)) from wrong


def save_state(data_dir: Path, state: State) -> None:
    """Write the state whole, readable by its owner only."""
    path = data_dir / FILE_NAME
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state)))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def forget_state(data_dir: Path) -> None:
    """Delete the state."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)


@contextlib.contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Keep a second process from playing the same demo. Raises AlreadyRunning."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(data_dir / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise AlreadyRunning(pid=lock.read().strip() or "unknown") from busy
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
