"""Where the root key comes from: the environment, a command, or a file of the data directory."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import shlex
import subprocess
from pathlib import Path

from moorage.entry.settings import Settings
from moorage.kit.errors import Kind, MoorageError

SIZE = 32
COMMAND_TIMEOUT_S = 60


class RootKeyMalformed(MoorageError):
    """What was given as root key is none."""

    kind = Kind.INVALID
    code = "root_key.malformed"
    message = (
        "The root key from {where} is not the base64 text of 32 bytes. "
        "`head -c 32 /dev/urandom | base64` makes one for a new installation."
    )


class RootKeyExposed(MoorageError):
    """Others may read the file of the root key."""

    kind = Kind.CONFLICT
    code = "root_key.exposed"
    message = "Others may read the root key. Run: chmod 600 {path}"


class RootKeyCommandFailed(MoorageError):
    """The command that should print the root key did not."""

    kind = Kind.UNAVAILABLE
    code = "root_key.command_failed"
    message = "MOORAGE_ROOT_KEY_COMMAND gave no key: {reason}"


def path_of(data_dir: Path) -> Path:
    """Give the place of the file."""
    return data_dir / "root.key"


def load(settings: Settings) -> bytes:
    """Give the 32 bytes of the root key; make its file at the first start.

    Raises:
        RootKeyMalformed: it is not base64 of 32 bytes.
        RootKeyExposed: the file may be read by others.
        RootKeyCommandFailed: the command ended with an error.
    """
    if settings.root_key is not None:
        return _decoded(settings.root_key.get_secret_value(), "MOORAGE_ROOT_KEY")
    if settings.root_key_command is not None:
        return _decoded(_printed_by(settings.root_key_command), "MOORAGE_ROOT_KEY_COMMAND")
    path = path_of(settings.data_dir)
    if not path.exists():
        _write(path, secrets.token_bytes(SIZE))
    if exposed(path):
        raise RootKeyExposed(path=str(path))
    return _decoded(path.read_text(), str(path))


def exposed(path: Path) -> bool:
    """Tell whether anybody but the owner may read `path`."""
    return bool(path.stat().st_mode & 0o077)


def is_a_file(settings: Settings) -> bool:
    """Tell whether the root key is the file of the data directory."""
    return settings.root_key is None and settings.root_key_command is None


def make_next(data_dir: Path) -> bytes:
    """Give the key that shall follow; make its file beside the present one if there is none."""
    path = _path_of_next(data_dir)
    if not path.exists():
        _write(path, secrets.token_bytes(SIZE))
    return _decoded(path.read_text(), str(path))


def put_next_in_place(data_dir: Path) -> None:
    """Let the file of the next key take the place of the present one."""
    _path_of_next(data_dir).rename(path_of(data_dir))
    _sync(data_dir)


def read(text: str) -> bytes:
    """Read a root key that somebody gives. Raises RootKeyMalformed."""
    return _decoded(text, "standard input")


def _path_of_next(data_dir: Path) -> Path:
    return data_dir / "root.key.next"


def _write(path: Path, key: bytes) -> None:
    """Write a key; when two processes do so at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(base64.b64encode(key).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync(path.parent)
    finally:
        draft.unlink()


def _sync(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _printed_by(command: str) -> str:
    try:
        return subprocess.run(
            shlex.split(command),
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        ).stdout
    except subprocess.CalledProcessError as failed:
        reason = failed.stderr.strip() or f"it ended with status {failed.returncode}"
        raise RootKeyCommandFailed(reason=reason) from failed
    except (OSError, ValueError, subprocess.TimeoutExpired) as failed:
        raise RootKeyCommandFailed(reason=str(failed)) from failed


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as failed:
        raise RootKeyMalformed(where=where) from failed
    if len(key) != SIZE:
        raise RootKeyMalformed(where=where)
    return key
