"""(b): how long a message takes at 5,000 a second, on this disk and on one that is 3 ms slower.

The disks of virtual machines may stand still for some hundred milliseconds now and then. On a
directory in memory (`MOORAGE_BENCH_DIR=/dev/shm`) with `MOORAGE_BENCH_FLUSH_US=150` the second
part is measured on a disk that does not.

Open loop: 500 MQTT connections, messages sent by the clock whether answers come or not, and every
time counts from the instant a message was due. Every message carries its number; 20 of the devices
are watched, by the live feed of their application and by an HTTP target with a route of theirs.
Readable by the API is tried for one device: when the feed shows a message, its latest values are
asked for at once, and the answer's arrival counts; so it includes the feed's time and a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from bench.generator import Job
from bench.installation import Fleet, Installation, Meter, directory, print_spent, running
from bench.load import Load
from bench.machine import Spent, flush_cost, percentile
from moorage.entry import data_directory, postgres

RATE = 5_000.0
CONNECTIONS, APPLICATIONS = 500, 25
SLOWER_US = int(os.environ.get("MOORAGE_BENCH_FLUSH_US", "3000"))
GOALS_MS = {
    "PUBACK": 5.0, "shown by the feed": 50.0, "readable by the API": 50.0, "target called": 150.0
}  # fmt: skip
_NUMBER = re.compile(rb'"n": ?(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_T = TypeVar("_T")


def main(seconds: float) -> None:
    """Measure on the disk as it is, then with 3 ms added to each flush."""
    with directory() as made:
        print(f"  this disk: {flush_cost(made)}")
        with running(made) as platform:
            _measure(platform, seconds)
    print(f"\n  with {SLOWER_US / 1000:g} ms added to each flush:")
    with directory() as made, _slow_database(made) as url:
        if url is None:
            print("  not measured: no C compiler (apt-get install gcc libc6-dev)")
            return
        print(f"  that disk: {_slow_flush_cost(made)}")
        with running(made / "platform", database_url=url) as platform:
            _measure(platform, seconds)


@contextlib.contextmanager
def _slow_database(made: Path) -> Iterator[str | None]:
    """Run a database whose flushes take longer; give its URL, or None without a compiler."""
    if shutil.which("cc") is None:
        yield None
        return
    shim = made / "slow_flush.so"
    source = Path(__file__).with_name("slow_flush.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    for name in ("platform", "database"):
        (made / name).mkdir(mode=0o755)
    with (
        data_directory.locked(made / "database"),
        postgres.embedded(made / "database", environment=_slower(made)) as server,
    ):
        yield server.url


def _slower(made: Path) -> dict[str, str]:
    """Give the variables that make a program's flushes slower."""
    return {"LD_PRELOAD": str(made / "slow_flush.so"), "FLUSH_DELAY_US": str(SLOWER_US)}


def _slow_flush_cost(made: Path) -> str:
    """Say what a flush costs as the slowed database sees it."""
    code = (
        "import pathlib, sys; from bench.machine import flush_cost; "
        "print(flush_cost(pathlib.Path(sys.argv[1])))"
    )
    root = Path(__file__).parents[1]
    environment = {**os.environ, **_slower(made), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code, str(made)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _measure(platform: Installation, seconds: float) -> None:
    fleet = platform.fleet(CONNECTIONS, applications=APPLICATIONS)
    times = platform.directory / "times"
    job = Job(
        mode="paced", port=platform.mqtt_port, keys=fleet.keys, seconds=seconds, rate=RATE,
        times=str(times),
    )  # fmt: skip
    seen: dict[str, dict[int, float]] = {
        name: {} for name in ("shown by the feed", "readable by the API", "target called")
    }
    with Load(job) as load, _Watcher(platform, fleet, seen) as watcher:
        meter = Meter(platform)
        load.start()
        result = load.result()
        drained_at = platform.drain()
        time.sleep(2)
        parts = meter.spent()
        parts["who watches and is called"] = watcher.spent()
    parts["generator"] = Spent(*result.cpu_s)
    both = array("d", times.read_bytes())
    due, acknowledged = both[: len(both) // 2], both[len(both) // 2 :]
    found = {"PUBACK": [(a - d) * 1000 for a, d in zip(acknowledged, due, strict=True) if a]}
    for name, arrivals in seen.items():
        found[name] = [(at - due[n]) * 1000 for n, at in arrivals.items()]
    print(f"  {result.sent / (result.ended - result.began):,.0f} messages/s sent, "
          f"{result.accepted:,} of {result.sent:,} acknowledged")  # fmt: skip
    print(f"  {'milliseconds from due to':<30}{'p50':>8}{'p95':>8}{'p99':>8}{'count':>10}")
    for name, spent in found.items():
        p50, p95, p99 = (percentile(spent, share) for share in (0.5, 0.95, 0.99))
        verdict = "reached" if p95 < GOALS_MS[name] else "missed"
        print(f"  {name:<30}{p50:>8.1f}{p95:>8.1f}{p99:>8.1f}{len(spent):>10,}"
              f"  goal p95 under {GOALS_MS[name]:.0f}: {verdict}")  # fmt: skip
    print_spent(parts, result.accepted, drained_at - result.began)


class _Watcher:
    """Somebody who looks at the feed of one application, asks for one device's values, is called.

    A lean client and a lean server in one thread, since what they spend is spent beside the
    platform: their processor time is printed with the rest.
    """

    def __init__(
        self, platform: Installation, fleet: Fleet, seen: dict[str, dict[int, float]]
    ) -> None:
        self._platform, self._fleet, self._seen = platform, fleet, seen
        self._client = platform.client()
        cookies = "; ".join(f"{c.name}={c.value}" for c in self._client.cookies.jar)
        self._head = f"Host: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._wanted: asyncio.Queue[int] = asyncio.Queue()
        self._tasks: list[Future[None]] = []
        self._began = 0.0

    def __enter__(self) -> _Watcher:
        """Begin, and wait until the feed is there."""
        self._thread.start()
        server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0)).result(10)
        self._route(server.sockets[0].getsockname()[1])
        following = threading.Event()
        # Kept, as a loop holds its tasks but weakly.
        self._tasks = [self._do(self._follow(following)), self._do(self._look())]
        following.wait(10)
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        with contextlib.suppress(TimeoutError):
            self._do(self._end()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._client.close()

    async def _end(self) -> None:
        own = asyncio.all_tasks() - {asyncio.current_task()}
        for task in own:
            task.cancel()
        await asyncio.gather(*own, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _route(self, port: int) -> None:
        """Have the watched application's messages sent to us."""
        body = {
            "applicationId": str(self._fleet.application_ids[0]), "name": "Bench", "kind": "http",
            "settings": {"url": f"http://127.0.0.1:{port}/"},
        }  # fmt: skip
        made = self._client.post("/api/v1/targets", json=body).raise_for_status().json()
        route = {"targetId": made["id"], "name": "Bench"}
        self._client.post("/api/v1/routes", json=route).raise_for_status()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called = self._seen["target called"]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                _status, body = await _message(reader)
                now = time.monotonic()
                for number in _NUMBER.findall(body):
                    called.setdefault(int(number), now)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async def _ask(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._platform.api_port)
        writer.write(f"GET {path} HTTP/1.1\r\n{self._head}".encode())
        return reader, writer

    async def _follow(self, following: threading.Event) -> None:
        shown = self._seen["shown by the feed"]
        application = self._fleet.application_ids[0]
        reader, writer = await self._ask(f"/api/v1/feed?applicationId={application}")
        try:
            while line := await reader.readline():
                following.set()
                if line.startswith(b"data:") and (number := _NUMBER.search(line)) is not None:
                    n = int(number[1])
                    shown[n] = time.monotonic()
                    if n % CONNECTIONS == 0:
                        self._wanted.put_nowait(n)
        finally:
            writer.close()

    async def _look(self) -> None:
        """Ask for the device's values until what the feed has shown is there."""
        readable = self._seen["readable by the API"]
        path = f"/api/v1/devices/{self._fleet.ids[0]}/latest"
        reader, writer = await self._ask(path)
        await _message(reader)
        try:
            while True:
                wanted = await self._wanted.get()
                while not self._wanted.empty():
                    wanted = self._wanted.get_nowait()
                for _ in range(20):
                    writer.write(f"GET {path} HTTP/1.1\r\n{self._head}".encode())
                    status, body = await _message(reader)
                    now = time.monotonic()
                    if not status.startswith(b"HTTP/1.1 200"):
                        raise RuntimeError(f"{path}: {status!r}")
                    latest = json.loads(body)["latest"]
                    if any(one["series"] == "n" and one["value"] >= wanted for one in latest):
                        readable[wanted] = now
                        break
        finally:
            writer.close()

    def spent(self) -> Spent:
        """Give what watching has spent since the start."""
        return Spent(time.process_time() - self._began, 0)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read an HTTP message: its first line and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return head.partition(b"\r\n")[0], body
