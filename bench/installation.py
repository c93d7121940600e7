"""A platform that is thrown away: `moorage run` on a directory and ports of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psutil
import psycopg
from httpx2 import Client
from sqlalchemy import insert

from bench.machine import Spent, times
from moorage import devices, groups, organizations, users
from moorage.devices.store import registry
from moorage.devices.tables import device_credentials
from moorage.entry import postgres
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Database, Tx
from moorage.kit.ids import uuid7
from moorage.kit.secrets import digest, make_token

T = TypeVar("T")
START_S = 120.0
DRAIN_S = 600.0


class NotReady(Exception):
    """The platform did not start, or did not finish its work in time."""


@dataclass
class Fleet:
    """Devices of one organisation, a key each."""

    organization_id: UUID
    application_ids: list[UUID]
    ids: list[UUID] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@dataclass
class Installation:
    """A running platform.

    Attributes:
        url: libpq URL of its database.
        process: its supervisor.
    """

    directory: Path
    url: str
    api_port: int
    mqtt_port: int
    tls_port: int
    process: subprocess.Popen[bytes]

    @property
    def authority(self) -> str:
        """File of the authority whose certificate the TLS door shows."""
        return str(self.directory / "tls" / "authority.pem")

    def ask(self, query: str, *parameters: object) -> Any:
        """Run a query and give its first row, or the value if that has one column."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query.encode(), parameters or None).fetchone()
        return row[0] if row is not None and len(row) == 1 else row

    def do(self, work: Callable[[Tx, Caller], Awaitable[T]]) -> T:
        """Do `work` in a transaction, as somebody who may do everything."""
        caller = operator()

        async def once() -> T:
            database = Database(self.url, pool_size=1, name="bench")
            try:
                async with database.begin(caller) as tx:
                    return await work(tx, caller)
            finally:
                await database.close()

        return asyncio.run(once())

    # --- Who ------------------------------------------------------------------

    def fleet(
        self,
        count: int,
        *,
        name: str = "Bench",
        applications: int = 1,
        decoder_id: UUID | None = None,
    ) -> Fleet:
        """Enrol devices in bulk, spread over the applications of a new organisation."""

        async def make(tx: Tx, caller: Caller) -> Fleet:
            return await fleet_of(
                tx, caller, count, name=name, applications=applications, decoder_id=decoder_id
            )

        return self.do(make)

    def client(self) -> Client:
        """Give an HTTP client that is signed in as an administrator."""

        async def link(tx: Tx, _caller: Caller) -> str:
            email = f"{make_token()[:12].lower()}@bench.example.org"
            new = users.NewUser(email, "Bench")
            return (await users.add_from_command_line(tx, new, admin=True))[1].token

        client = Client(base_url=f"http://127.0.0.1:{self.api_port}", timeout=30)
        client.post("/api/v1/auth/link", json={"token": self.do(link)}).raise_for_status()
        me = client.get("/api/v1/auth/me").raise_for_status().json()
        client.headers["X-CSRF-Token"] = me["csrfToken"]
        return client

    # --- What it does ---------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Name the processes: parts by their command, PostgreSQL's by what they serve."""
        parents = [psutil.Process(self.process.pid)]
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            postmaster = self.ask("SELECT current_setting('data_directory')")
            pid = int(Path(postmaster, "postmaster.pid").read_text().splitlines()[0])
            if psutil.Process(pid) not in parents[0].children(recursive=True):
                parents.append(psutil.Process(pid))
        with psycopg.connect(self.url, autocommit=True) as connection:
            backends: dict[int, str] = dict(
                connection.execute("SELECT pid, application_name FROM pg_stat_activity").fetchall()
            )
        named = {}
        for parent in parents:
            for process in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    named[process.pid] = _name(process, backends)
        return named

    def backlog(self) -> int:
        """Count the messages in the ledger that are not processed yet."""
        return int(
            self.ask(
                "SELECT sum(l.next) - sum(p.next) FROM ledger_partitions l JOIN ledger_positions p "
                "USING (log, partition) WHERE log = 1 AND consumer = 'process'"
            )
            or 0
        )

    def drain(self) -> float:
        """Wait until all that was taken in is processed; give the instant. Raises NotReady."""
        until = time.monotonic() + DRAIN_S
        while (waiting := self.backlog()) > 0:
            if time.monotonic() > until:
                raise NotReady(f"{waiting:,} messages still wait after {DRAIN_S:.0f} s.")
            time.sleep(0.1)
        return time.monotonic()

    def kept(self) -> tuple[int, int, int]:
        """Count messages in the ledger, in the history, and in devices' states."""
        ledger = self.ask("SELECT sum(next - 1)::bigint FROM ledger_partitions WHERE log = 1")
        count, total = self.ask(
            "SELECT count(*), coalesce(sum(n), 0) FROM telemetry_history WHERE flags & 4 = 0"
        )
        partitions = self.ask("SELECT count(*) FROM ledger_partitions WHERE log = 1")
        if partitions == 1 and total != ledger * (ledger + 1) // 2:
            raise NotReady("Positions in the history are not those of the ledger, each once.")
        states = self.ask("SELECT coalesce(sum(message_count), 0)::bigint FROM telemetry_latest")
        return ledger, count, states


def _name(process: psutil.Process, backends: Mapping[int, str]) -> str:
    words = " ".join(process.cmdline()).split()
    title = " ".join(words)
    if title.startswith("postgres:"):
        if backends.get(process.pid):
            return f"postgres: {backends[process.pid]}"
        return " ".join(title.split()[:2]).rstrip("0123456789")
    if words and words[0] == "moorage":
        return {"listen": "listener", "work": "worker"}.get(words[1], words[1])
    if "moorage.entry.fork_server" in words:
        return "fork server"
    if words and Path(words[0]).name == "postgres":
        return "postgres: postmaster"
    if any("javascript" in word for word in words):
        return "decoder"
    return "supervisor" if "run" in words else process.name()


async def fleet_of(
    tx: Tx,
    caller: Caller,
    count: int,
    *,
    name: str = "Bench",
    applications: int = 1,
    decoder_id: UUID | None = None,
) -> Fleet:
    """Enrol devices in bulk, spread over the applications of a new organisation."""
    organization = await organizations.found(tx, caller, organizations.NewOrganization(name))
    made = [
        await groups.make(tx, caller, groups.NewApplication(organization.id, f"App {n}"))
        for n in range(applications)
    ]
    fleet = Fleet(organization.id, [application.id for application in made])
    new_devices = [
        (
            organization.id,
            devices.NewDevice(
                fleet.application_ids[n * applications // count],
                f"Device {n:05}",
                decoder_id=decoder_id,
                state=devices.DeviceState.ACTIVE,
            ),
        )
        for n in range(count)
    ]
    fleet.ids = await registry.add(tx, new_devices)
    fleet.keys = [make_token("mdk_") for _ in fleet.ids]
    rows = [
        {
            "id": uuid7(), "device_id": device_id, "kind": "key", "label": "bench",
            "digest": digest(key), "hint": key[-4:], "version": 1, **tx.stamp(),
        }
        for device_id, key in zip(fleet.ids, fleet.keys, strict=True)
    ]  # fmt: skip
    await tx.execute(insert(device_credentials), rows)
    return fleet


def operator() -> Caller:
    """Make a caller who may do everything."""
    permissions = frozenset(organizations.Permission)
    return Caller(CallerKind.SYSTEM, UUID(int=1), "bench", (Grant(permissions),))


def free_ports(count: int) -> list[int]:
    """Find free ports of the loopback."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            found.append(sock.getsockname()[1])
    return found


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """Make a directory on a real disk: `MOORAGE_BENCH_DIR`, else /var/tmp."""
    above = Path(os.environ.get("MOORAGE_BENCH_DIR", "/var/tmp"))
    made = Path(tempfile.mkdtemp(prefix="moorage-bench-", dir=above))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def running(
    made: Path, *, settings: Mapping[str, str] | None = None, database_url: str | None = None
) -> Iterator[Installation]:
    """Run the platform with its default settings, and those given, until the block ends.

    Raises:
        NotReady: it did not answer in time; the message has the end of its log.
    """
    api_port, mqtt_port, tls_port = free_ports(3)
    command = [
        *(sys.executable, "-P", "-m", "moorage.entry.cli", "run", "--log-level", "warning"),
        *("--port", str(api_port), "--mqtt-port", str(mqtt_port), "--mqtt-tls-port", str(tls_port)),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")},
        "MOORAGE_DATA_DIR": str(made),
        **({"MOORAGE_DATABASE_URL": database_url} if database_url else {}),
        **(settings or {}),
    }
    output = made / "bench.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, api_port, output)
        url = database_url or postgres.url_of(made)
        assert url is not None
        yield Installation(made, url, api_port, mqtt_port, tls_port, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with (
            contextlib.suppress(OSError, urllib.error.URLError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise NotReady("The platform did not start:\n" + output.read_text()[-2000:])


@dataclass
class Meter:
    """What each part of an installation spends, from one reading to the next."""

    installation: Installation
    names: dict[int, str] = field(default_factory=dict)
    first: dict[int, Spent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = self.installation.processes()
        self.first = times(self.names)

    def spent(self) -> dict[str, Spent]:
        """Give the time of each part since the start; ended processes are left out."""
        self.names |= self.installation.processes()
        found: dict[str, Spent] = {}
        for pid, now in times(self.names).items():
            was, before = self.first.get(pid, Spent()), found.get(self.names[pid], Spent())
            found[self.names[pid]] = Spent(
                before.user_s + now.user_s - was.user_s,
                before.system_s + now.system_s - was.system_s,
            )
        return found


def print_spent(
    parts: Mapping[str, Spent], messages: int, elapsed_s: float, *, least_us: float = 0.1
) -> None:
    """Print what each process spent, by message and as a share of all cores."""
    cores = os.cpu_count() or 1
    print(f"  {'CPU by process':<34}{'µs/message':>11}{'user':>8}{'system':>8}{'share':>8}")
    rows = sorted(parts.items(), key=lambda row: -row[1].total_s)
    per = 1e6 / max(messages, 1)
    for name, spent in rows:
        if spent.total_s * per < least_us:
            continue
        print(
            f"  {name:<34}{spent.total_s * per:>11.1f}{spent.user_s * per:>8.1f}"
            f"{spent.system_s * per:>8.1f}{spent.total_s / elapsed_s / cores:>8.1%}"
        )
    total = sum(spent.total_s for spent in parts.values())
    print(
        f"  {'all of it':<34}{total * per:>11.1f}{'':>16}{total / elapsed_s / cores:>8.1%}"
        f"  of {cores} cores"
    )
