"""Settings that a running platform takes on: what changed in the file, and telling the parts.

`moorage reload` compares the file with what the platform was started with, names what needs a
restart, and sends SIGUSR1 to the supervisor, which passes it on. Each part then reads its settings
again and applies those marked live. A part without a supervisor is sent the signal by hand.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import structlog
from pydantic import SecretStr

from moorage.entry import settings as configuration
from moorage.entry import state
from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import Settings
from moorage.kit import log as logs
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.settings import Loaded, values_of

log = structlog.get_logger()

SIGNAL = signal.SIGUSR1
FILE, ABOVE = "file", "above it"


class NothingRuns(MoorageError):
    """There is nobody to tell."""

    kind = Kind.UNAVAILABLE
    code = "reload.nothing_runs"
    message = "`moorage run` does not run on {directory}; it reads its settings when it starts."


@dataclass(frozen=True)
class Started:
    """What the running platform was started with, by dotted name.

    Attributes:
        file: the TOML file it reads, there or not.
        digests: of the values, so that no secret is written.
        origins: of what is no default: `file` or `above it` (a variable or an option).
    """

    file: str
    digests: dict[str, str]
    origins: dict[str, str]


@dataclass(frozen=True)
class Changes:
    """What stands otherwise in the file than in the running platform.

    Attributes:
        live: taken on now.
        at_start: taken on at the next start.
        hidden: without effect, since a variable or an option stands above the file.
    """

    live: tuple[str, ...]
    at_start: tuple[str, ...]
    hidden: tuple[str, ...]


def remember(loaded: Loaded[Settings]) -> None:
    """Write down what the platform is started with."""
    settings = loaded.settings
    file = str(configuration.file_of(settings.data_dir, os.environ))
    origins = {name: _kind(origin, file) for name, origin in loaded.origins.items()}
    _write(settings.data_dir, Started(file, _digests(settings), origins))


def ask(data_dir: Path) -> Changes:
    """Tell the running platform to take on what changed in its file; give what changed.

    Raises:
        NothingRuns: no supervisor works on the directory.
        SettingUnknown, SettingInvalid, SettingsFileUnreadable: the file is wrong; nothing is done.
    """
    running = state.read(data_dir)
    path = _path(data_dir)
    if running is None or not path.exists():
        raise NothingRuns(directory=str(data_dir))
    started = msgspec.json.decode(path.read_bytes(), type=Started)
    loaded = configuration.read_file(data_dir, Path(started.file))
    digests = _digests(loaded.settings)
    live, at_start, hidden = [], [], []
    for setting in loaded.listed():
        name = setting.name
        if name not in loaded.origins and started.origins.get(name) != FILE:
            continue  # It neither stands in the file nor did.
        if digests[name] == started.digests.get(name):
            continue
        if started.origins.get(name, FILE) != FILE:
            hidden.append(name)
        elif setting.live:
            live.append(name)
        else:
            at_start.append(name)
    digests = started.digests | {name: digests[name] for name in live}
    origins = started.origins | dict.fromkeys(live, FILE)
    _write(data_dir, replace(started, digests=digests, origins=origins))
    os.kill(running.pid, SIGNAL)
    return Changes(tuple(live), tuple(at_start), tuple(hidden))


async def follow(line: Lifeline, read: Callable[[], Loaded[Settings]]) -> None:
    """Take on the live settings whenever told to, until cancelled.

    Args:
        line: tells when, and knows who takes them on.
        read: reads the settings as at the start.
    """
    while True:
        await line.reload.wait()
        line.reload.clear()
        try:
            settings = read().settings
        except MoorageError as wrong:
            log.error("settings_not_reloaded", error=str(wrong))
            continue
        logs.set_level(settings.log_level)
        for adjust in line.adjusted:
            adjust(settings)
        log.info("settings_reloaded")


def _kind(origin: str, file: str) -> str:
    return FILE if origin.startswith(f"{file}: ") else ABOVE


def _digests(settings: Settings) -> dict[str, str]:
    """Digest every value; equal values have equal digests."""
    found = {}
    for name, value in values_of(settings):
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        found[name] = hashlib.sha256(repr(plain).encode()).hexdigest()
    return found


def _path(data_dir: Path) -> Path:
    return data_dir / "run" / "settings.json"


def _write(data_dir: Path, started: Started) -> None:
    path = _path(data_dir)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(started))
    fresh.chmod(0o600)
    fresh.rename(path)
