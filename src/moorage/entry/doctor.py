"""Check a deployment and say what to mend."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path

import psycopg

from moorage import sessions
from moorage.entry import database, decision_point, migrate, peers, ports, root_key, state
from moorage.entry.settings import Settings
from moorage.kit import disk, secrets, smtp
from moorage.kit.caller import SYSTEM
from moorage.kit.db import Database
from moorage.kit.decisions import RESOURCE_ID, DecisionMissing, Question, subject_of
from moorage.kit.errors import MoorageError

FSYNC_TRIES = 15
# Above this, every acknowledgement is felt to wait for the disk.
SLOW_FSYNC_MS = 10.0
CLOCK_UNSYNCHRONIZED = 5  # TIME_ERROR of adjtimex(2).
CLOCK_TOLERANCE_S = 2.0
CALL_TIMEOUT_S = 3.0


class Health(Enum):
    """How a check went."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        mend: what to do about it; empty when all is well.
    """

    name: str
    health: Health
    found: str
    mend: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Make every check in turn; whatever one of them meets, the others still run."""
    for check in CHECKS:
        try:
            yield from check(settings)
        except (OSError, MoorageError, psycopg.Error) as failed:
            name = check.__name__.strip("_").replace("_", " ")
            yield Finding(name, Health.BAD, str(failed).splitlines()[0], "See the message.")


def _python(_settings: Settings) -> Iterator[Finding]:
    yield Finding("python", Health.GOOD, f"{sys.version.split()[0]} at {sys.executable}")


def _data_directory(settings: Settings) -> Iterator[Finding]:
    directory = settings.data_dir
    if not directory.exists():
        yield Finding(
            "data directory",
            Health.GOOD,
            f"{directory} does not exist yet; the first start makes it",
        )
        return
    if not os.access(directory, os.W_OK | os.X_OK):
        owner = directory.stat().st_uid
        yield Finding(
            "data directory",
            Health.BAD,
            f"{directory} belongs to user {owner} and cannot be written",
            f"chown it to user {os.geteuid()}, or set MOORAGE_DATA_DIR.",
        )
        return
    yield Finding("data directory", Health.GOOD, str(directory))


def _disk_space(settings: Settings) -> Iterator[Finding]:
    measured = disk.measure(_nearest(settings.data_dir))
    found = f"{measured.used_share:.0%} used, {measured.free_bytes / 1e9:.1f} GB free"
    if measured.used_share >= settings.disk.refuse_share:
        health, mend = Health.BAD, "Telemetry is refused: free some space or shorten retention."
    elif measured.used_share >= settings.disk.warn_share:
        share = f"{settings.disk.refuse_share:.0%}"
        health, mend = Health.DOUBTFUL, f"Free some space; at {share} telemetry is refused."
    else:
        health, mend = Health.GOOD, ""
    yield Finding("disk space", health, found, mend)


def _disk_speed(settings: Settings) -> Iterator[Finding]:
    """Measure what one durable write costs; it bounds how soon a message is acknowledged."""
    path = _nearest(settings.data_dir) / f".moorage-doctor-{os.getpid()}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        times_ms = []
        for _ in range(FSYNC_TRIES):
            os.write(handle, b"\0" * 8192)
            began = time.perf_counter()
            os.fdatasync(handle)
            times_ms.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(handle)
        path.unlink()
    median_ms = statistics.median(times_ms)
    slow = median_ms > SLOW_FSYNC_MS
    yield Finding(
        "disk speed",
        Health.DOUBTFUL if slow else Health.GOOD,
        f"a durable write takes {median_ms:.2f} ms (slowest {max(times_ms):.2f} ms)",
        "Every acknowledgement waits this long: put the data directory on an SSD." if slow else "",
    )


def _ports(settings: Settings) -> Iterator[Finding]:
    if (running := state.read(settings.data_dir)) is not None:
        yield Finding("ports", Health.GOOD, f"held by Moorage itself (process {running.pid})")
        return
    for door in (*ports.API, *ports.LISTENER):
        name, host, port = ports.needed(settings, (door,))[0]
        try:
            ports.check(settings, (door,))
        except MoorageError as taken:
            yield Finding(name, Health.BAD, str(taken), "Choose another port or stop its holder.")
        else:
            yield Finding(name, Health.GOOD, f"{host}:{port} is free")


def _proxy(settings: Settings) -> Iterator[Finding]:
    trusted = settings.api.trusted_proxies
    if any(network.endswith("/0") for network in trusted):
        yield Finding(
            "reverse proxy",
            Health.BAD,
            "everybody is trusted to say from where they come",
            "Name only the proxies' own addresses in api.trusted_proxies.",
        )
    elif trusted:
        yield Finding("reverse proxy", Health.GOOD, f"trusted: {', '.join(trusted)}")
    elif settings.public_url.startswith("https:"):
        yield Finding(
            "reverse proxy",
            Health.DOUBTFUL,
            "none is trusted, though public_url is https, which a proxy must serve: to lock-out "
            "and audit everybody comes from the proxy's address",
            "Name the proxy's address in api.trusted_proxies.",
        )


def _mail(settings: Settings) -> Iterator[Finding]:
    """Greet the mail server as the worker would, and sign in."""
    if (server := settings.mail_server) is None:
        yield Finding(
            "mail", Health.GOOD, "none is sent; links are shown to whoever makes them (mail.host)"
        )
        return
    try:
        found = asyncio.run(smtp.try_out(server))
    except smtp.NotSent as failed:
        yield Finding(
            "mail",
            Health.BAD,
            f"{server.host}:{server.port}: {failed.reason}",
            "Check the settings under mail; letters wait and are tried again.",
        )
    else:
        yield Finding("mail", Health.GOOD, found)


def _policies(settings: Settings) -> Iterator[Finding]:
    """Ask the policy decision point something, whatever it says of it."""
    if (point := decision_point.of(settings)) is None:
        yield Finding("policies", Health.GOOD, "no decision point is asked (decisions.url)")
        return

    async def ask() -> bool:
        try:
            return await point.permits(Question(subject_of(SYSTEM), "GET", ((RESOURCE_ID, "/"),)))
        finally:
            await point.close()

    try:
        permitted = asyncio.run(ask())
    except DecisionMissing as missing:
        found = f"{settings.decisions.url}: {missing.__cause__}"
        mend = "Check the settings under decisions; nothing is permitted meanwhile."
        yield Finding("policies", Health.BAD, found, mend)
    else:
        said = "permits" if permitted else "denies"
        yield Finding("policies", Health.GOOD, f"the decision point answers (it {said} a trial)")


def _parts(settings: Settings) -> Iterator[Finding]:
    running = state.read(settings.data_dir)
    if running is None:
        yield Finding("parts", Health.GOOD, "`moorage run` is not running on this data directory")
        return
    for part in running.parts:
        ready = part.state is state.PartState.READY
        yield Finding(
            part.name,
            Health.GOOD if ready else Health.BAD,
            f"{part.state.value} {part.why}".strip() + f", restarted {part.restarts} times",
            "" if ready else "The log says more.",
        )


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is None and state.read(settings.data_dir) is None:
        yield Finding("database", Health.GOOD, "embedded; starts with `moorage run`")
        return
    url = database.url_of(settings)
    began = time.time()
    with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'),"
            " extract(epoch FROM clock_timestamp())::float8"
        ).fetchone()
        ended = time.time()
        major = connection.info.server_version // 10000
    version, their_time = row or ("", 0.0)
    old = major < migrate.OLDEST_SERVER
    yield Finding(
        "database",
        Health.BAD if old else Health.GOOD,
        f"PostgreSQL {version}",
        f"Moorage needs PostgreSQL {migrate.OLDEST_SERVER} or newer." if old else "",
    )
    apart_s = max(began - their_time, their_time - ended, 0.0)
    if apart_s > CLOCK_TOLERANCE_S:
        yield Finding(
            "database clock",
            Health.BAD,
            f"differs from this machine's by {apart_s:.0f} s",
            "Let both machines keep their time by NTP.",
        )
    stands = migrate.revision(url)
    current = stands.current == stands.head
    yield Finding(
        "migrations",
        Health.GOOD if current else Health.BAD,
        f"at {stands.current or 'nothing'}, this version wants {stands.head}",
        "" if current else "Run `moorage migrate`.",
    )


def _listeners(settings: Settings) -> Iterator[Finding]:
    """Look at those who live by the table, and call each of them as another listener would."""
    if settings.database_url is None and state.read(settings.data_dir) is None:
        return
    url = database.url_of(settings)
    if migrate.revision(url).current is None:
        return
    has_key = settings.root_key is not None or settings.root_key_command is not None
    if not has_key and not root_key.path_of(settings.data_dir).exists():
        return  # Only who has it can call them.
    listeners, now, sealer = asyncio.run(_read_listeners(url, settings))
    if sealer is None:
        return
    dialling = peers.PeerContexts(sealer).dialling()
    for one in listeners:
        silent_s = (now - one.seen_at).total_seconds()
        found = (
            f"{one.version}, since {one.started_at:%Y-%m-%d %H:%M} UTC, {one.connections} "
            f"connections, {one.devices} devices at home, follows {one.follows} of "
            f"{len(listeners) - 1}"
        )
        health, mend = Health.GOOD, ""
        if silent_s > sessions.LISTENER_PATIENCE.total_seconds():
            health = Health.DOUBTFUL
            found += f", silent for {silent_s:.0f} s"
            mend = "If it is gone for good, the others give it up within seconds."
        elif one.follows < len(listeners) - 1:
            health = Health.DOUBTFUL
            mend = "Let listeners reach each other: mqtt.peer_host and mqtt.peer_port of each."
        if one.address is not None:
            try:
                until = _certificate_end(one.address, dialling)
            except OSError as failed:
                health, found = Health.BAD, f"{found}; not reached at {one.address}: {failed}"
                mend = "Let the machines reach each other there, with the same root key."
            else:
                found += f"; reached at {one.address}, its certificate ends {until}"
        yield Finding(f"listener {one.name}", health, found, mend)


async def _read_listeners(
    url: str, settings: Settings
) -> tuple[list[sessions.Listener], datetime, secrets.Sealer | None]:
    """Read who lives, and the keys by which they know each other; none where nobody lives."""
    made = Database(url, pool_size=1, name="moorage-doctor")
    try:
        async with made.begin() as tx:
            found = await sessions.list_listeners(tx)
            if not found:
                return [], tx.now, None
            return found, tx.now, await secrets.load_sealer(tx, root_key.load(settings))
    finally:
        await made.close()


def _certificate_end(address: str, context: ssl.SSLContext) -> str:
    """Give the end of the certificate that a listener shows. Raises OSError."""
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), CALL_TIMEOUT_S) as plain,
        context.wrap_socket(plain) as encrypted,
    ):
        shown = encrypted.getpeercert() or {}
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return "never" if ends_at.year == peers.NO_END.year else f"{ends_at:%Y-%m-%d}"


def _decoder_jail(_settings: Settings) -> Iterator[Finding]:
    for found in entry_points(group="moorage.decoders", name="javascript"):
        jail = asyncio.run(found.load()(workers=1).jail_report())
        if not jail.missing and not jail.escapes:
            yield Finding("decoder jail", Health.GOOD, "every wall stands and was tried")
            continue
        walls = "; ".join(f"{wall}: {reason}" for wall, reason in jail.missing.items())
        opened = ", ".join(jail.escapes)
        yield Finding(
            "decoder jail",
            Health.BAD if opened else Health.DOUBTFUL,
            (f"scripts' processes {opened}; " if opened else "") + f"not put up: {walls or 'none'}",
            "Run on a kernel (or in a container) that allows user namespaces and seccomp.",
        )


def _clock(_settings: Settings) -> Iterator[Finding]:
    answer = ctypes.create_string_buffer(512)  # struct timex with modes = 0 only asks.
    status = ctypes.CDLL(None).adjtimex(answer)
    if status == CLOCK_UNSYNCHRONIZED:
        yield Finding(
            "clock",
            Health.DOUBTFUL,
            "nothing keeps this machine's clock right, as far as the kernel knows",
            "Install chrony or turn systemd-timesyncd on (in a container: on its host).",
        )
    else:
        yield Finding("clock", Health.GOOD, "kept by NTP")


def _root_key(settings: Settings) -> Iterator[Finding]:
    if settings.root_key is not None or settings.root_key_command is not None:
        root_key.load(settings)
        where = "MOORAGE_ROOT_KEY" if settings.root_key is not None else "its command"
        yield Finding("root key", Health.GOOD, f"from {where}")
        return
    path = root_key.path_of(settings.data_dir)
    if not path.exists():
        yield Finding("root key", Health.GOOD, "the first start makes it")
    elif root_key.exposed(path):
        yield Finding("root key", Health.BAD, "others may read it", f"Run: chmod 600 {path}")
    else:
        root_key.load(settings)
        yield Finding("root key", Health.GOOD, f"{path}; keep a copy apart from the backups")


def _nearest(path: Path) -> Path:
    """Give `path`, or what exists above it."""
    return next(there for there in (path, *path.parents) if there.exists())


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _data_directory,
    _disk_space,
    _disk_speed,
    _ports,
    _proxy,
    _mail,
    _policies,
    _parts,
    _database,
    _listeners,
    _decoder_jail,
    _clock,
    _root_key,
)
