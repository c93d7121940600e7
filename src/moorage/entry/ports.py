"""Look before binding, and name who holds a port."""

from __future__ import annotations

import contextlib
import errno
import socket
import time

import psutil

from moorage.entry.settings import Settings
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.settings import variable_of

API = ("api",)
LISTENER = ("mqtt", "mqtt.tls")
_LOOK_EVERY_S = 0.1


class PortTaken(MoorageError):
    """Another process listens on a port that is needed."""

    kind = Kind.CONFLICT
    code = "ports.taken"
    message = (
        "Port {port} on {host} is held by {holder}. Stop it, or choose another port with {setting}."
    )


class PortForbidden(MoorageError):
    """Listening on the port is not allowed, or the address is not of this machine."""

    kind = Kind.CONFLICT
    code = "ports.forbidden"
    message = "Port {port} on {host} cannot be opened: {reason}. Change it with {setting}."


def needed(settings: Settings, doors: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """List setting, address and port of each door, once for each address."""
    known = {
        "api": ("api.port", settings.api.host, settings.api.port),
        "mqtt": ("mqtt.port", settings.mqtt.host, settings.mqtt.port),
        "mqtt.tls": ("mqtt.tls_port", settings.mqtt.tls_host, settings.mqtt.tls_port),
    }
    return [
        (setting, host, port)
        for setting, hosts, port in (known[door] for door in doors)
        for host in hosts.split(",")
    ]


def check(settings: Settings, doors: tuple[str, ...] = (*API, *LISTENER)) -> None:
    """Make sure that every door can open. Raises PortTaken or PortForbidden."""
    for name, host, port in needed(settings, doors):
        setting = variable_of(name)
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as failed:
            if failed.errno == errno.EADDRINUSE:
                raise PortTaken(
                    port=port, host=host, setting=setting, holder=holder_of(port)
                ) from failed
            reason = failed.strerror or str(failed)
            raise PortForbidden(port=port, host=host, setting=setting, reason=reason) from failed


def check_after_crash(settings: Settings, patience_s: float) -> None:
    """Make sure that every door can open, once parts of a supervisor that was killed have ended.

    They are told to end when it dies, but need a moment. Nobody else is waited for. Raises as
    `check`.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return check(settings)
        except PortTaken as taken:
            if time.monotonic() > deadline or not _is_left_over(taken.public["port"], settings):
                raise
        time.sleep(_LOOK_EVERY_S)


def _is_left_over(port: int, settings: Settings) -> bool:
    """Tell whether a part of this data directory listens on `port`, or nobody does any more."""
    pids = _listening(port)
    with contextlib.suppress(psutil.Error):
        return all(
            pid is not None
            and psutil.Process(pid).environ().get("MOORAGE_DATA_DIR") == str(settings.data_dir)
            for pid in pids
        )
    return False


def holder_of(port: int) -> str:
    """Name the process that listens on `port`, as far as this user may see it."""
    for pid in _listening(port):
        if pid is None:
            return "a process of another user"
        with contextlib.suppress(psutil.Error):
            return f"{psutil.Process(pid).name()} (process {pid})"
    return "another process"


def _listening(port: int) -> set[int | None]:
    """Find who listens on `port`; None is somebody whom this user may not see."""
    with contextlib.suppress(psutil.Error):
        return {
            one.pid
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
        }
    return {None}
