"""What the supervisor knows of its parts, in a file that every process may read."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

import msgspec


class PartState(Enum):
    """Where a part stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"  # It lives, but something that it needs is missing.
    RESTARTING = "restarting"  # It ended and is started again after a pause.
    STOPPED = "stopped"


@dataclass(frozen=True)
class Part:
    """One supervised process.

    Attributes:
        since: when it came into its state.
        why: what it waits for or how it ended; empty while all is well.
    """

    name: str
    pid: int | None
    state: PartState
    since: datetime
    restarts: int
    why: str


@dataclass(frozen=True)
class State:
    """A supervisor and its parts."""

    pid: int
    started_at: datetime
    parts: tuple[Part, ...]

    @property
    def not_ready(self) -> dict[str, str]:
        """Name each part that is not ready, and why."""
        return {
            part.name: part.why or part.state.value
            for part in self.parts
            if part.state is not PartState.READY
        }


def path_of(data_dir: Path) -> Path:
    """Give the place of the file."""
    return data_dir / "run" / "state.json"


def write(data_dir: Path, state: State) -> None:
    """Replace the file; a reader sees the old or the new one, never half of it."""
    path = path_of(data_dir)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(state))
    fresh.rename(path)


def remove(data_dir: Path) -> None:
    """Take the file away at the end."""
    path_of(data_dir).unlink(missing_ok=True)


def read(data_dir: Path) -> State | None:
    """Read what the supervisor of `data_dir` last wrote; None when none runs."""
    with contextlib.suppress(FileNotFoundError):
        state = msgspec.json.decode(path_of(data_dir).read_bytes(), type=State)
        if _alive(state.pid):
            return state
    return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
