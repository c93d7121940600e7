"""(b): how long a message takes at 5,000 a second, on this disk and on one that is 3 ms slower.

Open loop: 500 MQTT connections, messages sent by the clock whether answers come or not, and every
time counts from the instant a message was due. Every message carries its number; 20 of the devices
are watched, by the live feed of their application and by an HTTP target with a route of theirs.
Readable by the API is tried for one device: when the feed shows a message, its latest values are
asked for at once, and the answer's arrival counts; so it includes the feed's time and a request.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

from bench.generator import Job
from bench.installation import Fleet, Installation, Meter, directory, print_spent, running
from bench.load import Load
from bench.machine import Spent, flush_cost, percentile
from moorage.entry import data_directory, postgres

RATE = 5_000.0
CONNECTIONS, APPLICATIONS = 500, 25
SLOWER_US = 3_000
GOALS_MS = {
    "PUBACK": 5.0, "shown by the feed": 50.0, "readable by the API": 50.0, "target called": 150.0
}  # fmt: skip
_NUMBER = re.compile(rb'"n": ?(\d+)')


def main(seconds: float) -> None:
    """Measure on the disk as it is, then with 3 ms added to each flush."""
    with directory() as made:
        print(f"  this disk: {flush_cost(made)}")
        with running(made) as platform:
            _measure(platform, seconds)
    print(f"\n  with {SLOWER_US / 1000:.0f} ms added to each flush:")
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
    with (
        _target(platform, fleet, seen["target called"]),
        Load(job) as load,
        _Follower(platform, fleet, seen) as follower,
    ):
        meter = Meter(platform)
        load.start()
        result = load.result()
        drained_at = platform.drain()
        time.sleep(2)
        follower.stop()
        parts = meter.spent()
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


class _Follower:
    """Somebody who looks at the feed of one application, and asks for one device's values."""

    def __init__(
        self, platform: Installation, fleet: Fleet, seen: dict[str, dict[int, float]]
    ) -> None:
        self._feed_client, self._api_client = platform.client(), platform.client()
        self._application = str(fleet.application_ids[0])
        self._device = str(fleet.ids[0])
        self._seen = seen
        self._ask: Queue[int | None] = Queue()
        self._following = threading.Event()
        self._done = False
        self._threads = [threading.Thread(target=work) for work in (self._follow, self._look)]

    def _follow(self) -> None:
        shown = self._seen["shown by the feed"]
        query = {"applicationId": self._application}
        with self._feed_client.stream("GET", "/api/v1/feed", params=query) as answer:
            self._following.set()
            for line in answer.iter_lines():
                if self._done:
                    break
                if not line.startswith("data:"):
                    continue
                now = time.monotonic()
                if (number := _NUMBER.search(line.encode())) is not None:
                    n = int(number[1])
                    shown[n] = now
                    if n % CONNECTIONS == 0:
                        self._ask.put(n)

    def _look(self) -> None:
        readable = self._seen["readable by the API"]
        path = f"/api/v1/devices/{self._device}/latest"
        while (wanted := self._ask.get()) is not None:
            while not self._ask.empty():
                newer = self._ask.get()
                if newer is None:
                    return
                wanted = newer
            for _ in range(20):
                answer = self._api_client.get(path).raise_for_status().json()
                now = time.monotonic()
                values = {one["series"]: one["value"] for one in answer["latest"]}
                if values.get("n", -1) >= wanted:
                    readable[wanted] = now
                    break

    def stop(self) -> None:
        """Look no more; the feed's next sign of life ends the following."""
        self._done = True
        self._ask.put(None)

    def __enter__(self) -> _Follower:
        """Begin, and wait until the feed is there."""
        for thread in self._threads:
            thread.daemon = True
            thread.start()
        self._following.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.stop()
        self._threads[1].join(10)
        self._threads[0].join(20)


@contextlib.contextmanager
def _target(platform: Installation, fleet: Fleet, called: dict[int, float]) -> Iterator[None]:
    """Serve a target on this machine, with a route of the watched application's messages."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            now = time.monotonic()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            for number in _NUMBER.findall(body):
                called.setdefault(int(number), now)
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with contextlib.closing(platform.client()) as client:
            body = {
                "applicationId": str(fleet.application_ids[0]), "name": "Bench", "kind": "http",
                "settings": {"url": f"http://127.0.0.1:{server.server_port}/"},
            }  # fmt: skip
            made = client.post("/api/v1/targets", json=body).raise_for_status().json()
            route = {"targetId": made["id"], "name": "Bench"}
            client.post("/api/v1/routes", json=route).raise_for_status()
        yield
    finally:
        server.shutdown()
        server.server_close()
