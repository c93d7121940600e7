"""Mosquitto with a raw subscriber behind it beside our own door, until a message is kept.

The same clients send QoS 1 to either, in turns, in one run. What counts is what a message costs all
processes until it is in the ledger, on disk: the door and its connections to the database, or
Mosquitto, whatever fetches from it, and the same connections. Mosquitto acknowledges before that,
keeps nothing and lets everybody in; the door tells its devices apart.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.broker import ROUNDS, Broker, mosquitto
from bench.installation import Fleet, Installation, Meter, NotReady, directory, running
from bench.load import Swarm
from bench.machine import times
from bench.swarm import Task
from moorage.testing.authority import Authority

_PUBLISHERS = 50
_FETCH_S = 120.0
# The connections of the listener, and the one by which it writes the ledger.
_DATABASE = ("postgres: moorage-ledger", "postgres: moorage-listen")
_SETTINGS = {
    "MOORAGE_TARGETS_ALLOWED": '["127.0.0.0/8"]',
    "MOORAGE_INGEST_DEVICE_RATE": "1000000",
    "MOORAGE_INGEST_DEVICE_BURST": "1000000",
    "MOORAGE_INGEST_DEVICE_BYTES": "1000000000",
    "MOORAGE_INGEST_DEVICE_CONNECTS": "100000",
}


@dataclass(frozen=True)
class Way:
    """A way into the ledger.

    Attributes:
        task: what the clients do.
        broker_pid: of the broker in front; None at our own door.
    """

    name: str
    task: Task
    broker_pid: int | None = None


@dataclass(frozen=True)
class Cost:
    """What a message took, in microseconds of CPU, and how many were kept in a second."""

    broker_us: float
    listener_us: float
    database_us: float
    rate: float

    @property
    def all_us(self) -> float:
        """Together."""
        return self.broker_us + self.listener_us + self.database_us


def main(seconds: float) -> None:
    """Measure both ways in turns, and print medians."""
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        print("  not measured: Mosquitto is not installed (apt-get install mosquitto)")
        return
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(directory())
        theirs = stack.enter_context(_open_mosquitto())
        platform = stack.enter_context(running(made, settings=_SETTINGS))
        fleet = platform.fleet(1)
        _connect(platform, fleet, theirs)
        up = f"v1/devices/{fleet.ids[0]}/up"
        ways = [
            Way("the door", _task(platform.mqtt_port, seconds, "v1/up", fleet.keys)),
            Way("Mosquitto, raw subscriber", _task(theirs.port, seconds, up, []), theirs.pid),
        ]
        costs: dict[str, list[Cost]] = {way.name: [] for way in ways}
        for _ in range(ROUNDS):
            for way in ways:
                costs[way.name].append(_measure(platform, way))
        print(f"  {'QoS 1 in, until kept, 50 clients':<34}{'kept/s':>9}{'CPU µs':>8}"
              f"{'broker':>8}{'listener':>9}{'database':>9}")  # fmt: skip
        for name, found in costs.items():
            one = sorted(found, key=lambda cost: cost.all_us)[len(found) // 2]
            rate = statistics.median(cost.rate for cost in found)
            print(f"  {name:<34}{rate:>9,.0f}{one.all_us:>8.1f}{one.broker_us:>8.1f}"
                  f"{one.listener_us:>9.1f}{one.database_us:>9.1f}")  # fmt: skip


@contextlib.contextmanager
def _open_mosquitto() -> Iterator[Broker]:
    with directory() as made:
        authority = Authority(made)
        (made / "authority.crt").write_text(authority.certificate)
        authority.files("localhost")
        with mosquitto(made) as theirs:
            yield theirs


def _task(port: int, seconds: float, topic: str, keys: list[str]) -> Task:
    return Task(
        mode="publish", port=port, seconds=seconds, publishers=_PUBLISHERS, qos=1, topic=topic,
        keys=keys,
    )  # fmt: skip


def _connect(platform: Installation, fleet: Fleet, theirs: Broker) -> None:
    """Have the platform fetch from Mosquitto. Raises NotReady."""
    with contextlib.closing(platform.client()) as client:
        body = {
            "organizationId": str(fleet.organization_id),
            "name": "Front",
            "kind": "mosquitto",
        }
        shown = client.post("/api/v1/brokers", json=body).raise_for_status().json()
        asked = {"url": f"mqtt://127.0.0.1:{theirs.port}", "userName": ""}
        path = f"/api/v1/brokers/{shown['id']}/connect"
        made = client.post(path, json=asked).raise_for_status().json()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            source = client.get(f"/api/v1/sources/{made['sourceId']}").raise_for_status().json()
            if source["health"]["state"] == "connected":
                return
            time.sleep(0.2)
    raise NotReady("Mosquitto is not fetched from.")


def _measure(platform: Installation, way: Way) -> Cost:
    platform.drain()
    before = _kept(platform)
    broker_before = _spent(way.broker_pid)
    with Swarm(way.task) as load:
        meter = Meter(platform)
        load.start()
        outcome = load.result()
        until = time.monotonic() + _FETCH_S
        while (kept := _kept(platform) - before) < outcome.count:
            if time.monotonic() > until:
                raise NotReady(f"{way.name}: {outcome.count - kept:,} messages are not kept.")
            time.sleep(0.05)
        took = time.monotonic() - outcome.began
        spent = meter.spent()
    per = 1e6 / kept
    database = sum(one.total_s for name, one in spent.items() if name.startswith(_DATABASE))
    return Cost(
        (_spent(way.broker_pid) - broker_before) * per,
        spent["listener"].total_s * per,
        database * per,
        kept / took,
    )


def _spent(pid: int | None) -> float:
    return 0.0 if pid is None else sum(one.total_s for one in times({pid: ""}).values())


def _kept(platform: Installation) -> int:
    """Count the messages in the ledger."""
    query = "SELECT coalesce(sum(next - 1), 0)::bigint FROM ledger_partitions WHERE log = 1"
    return int(platform.ask(query))
