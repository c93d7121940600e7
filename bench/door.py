"""The platform's own door beside Mosquitto: durable, with devices that are told apart.

The same generator as in `broker`, in the same run and in turns: what Moorage acknowledges is in the
ledger, on disk, and each client is a device of its own with its rights; Mosquitto keeps nothing
and lets everybody in.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import time
from dataclasses import dataclass, field

from bench.broker import IDLE, ROUNDS, Broker, cpu, mosquitto, p99, rate, run
from bench.installation import Fleet, Installation, directory, running
from bench.load import Swarm
from bench.swarm import Task
from moorage.testing.authority import Authority

_PUBLISHERS, _SUBSCRIBERS, _CLOCKED = 50, 20, 100
# Who has no answer yet while 10,000 come; a client that has one leaves room for the next.
_AT_ONCE = 50
# So that the door's limits for one device are not what is measured; Mosquitto runs without any.
_SETTINGS = {
    "MOORAGE_INGEST_DEVICE_QUEUE_MESSAGES": "100000",
    "MOORAGE_INGEST_DEVICE_QUEUE_BYTES": "268435456",
    "MOORAGE_INGEST_DEVICE_RATE": "1000000",
    "MOORAGE_INGEST_DEVICE_BURST": "1000000",
    "MOORAGE_INGEST_DEVICE_BYTES": "1000000000",
}


@dataclass(frozen=True)
class Line:
    """One measurement: what it is called, what is done, and by devices with which keys.

    Attributes:
        is_late: whether what counts is how late the slowest hundredth comes, not how many come.
    """

    name: str
    task: dict[str, object]
    keys: tuple[str, ...]
    is_late: bool = False


@dataclass(frozen=True)
class Door(Broker):
    """The door of a running platform; what its database spends counts as well."""

    platform: Installation = field(kw_only=True)

    def processes(self) -> list[int]:
        """Give its processes."""
        return list(self.platform.processes())


def main(seconds: float) -> None:
    """Measure what is taken in, what devices of an application share, and a storm of devices."""
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        print("  not measured: Mosquitto is not installed (apt-get install mosquitto)")
        return
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(directory())
        theirs_made = stack.enter_context(directory())
        authority = Authority(theirs_made)
        (theirs_made / "authority.crt").write_text(authority.certificate)
        authority.files("localhost")
        theirs = stack.enter_context(mosquitto(theirs_made))
        platform = stack.enter_context(running(made, settings=_SETTINGS))
        ports = platform.mqtt_port, platform.tls_port
        ours = Door("Moorage", platform.process.pid, *ports, platform=platform)
        fleet = platform.fleet(IDLE)
        _share(platform, fleet)
        print(f"  {'':<36}{'Moorage':>12}{'Mosquitto':>12}{'':<12}{'ratio':>8}"
              f"{'CPU µs each':>16}")  # fmt: skip
        for line in _lines(fleet):
            _compare(line, seconds, ours, theirs)
            platform.drain()
        trusts = {"Moorage": platform.authority, "Mosquitto": str(theirs_made / "authority.crt")}
        for how in ("plain", "plain, sessions that last", "TLS resumed"):
            for broker in (ours, theirs):
                _storm(how, broker, fleet, trusts[broker.name] if how.startswith("TLS") else None)


def _lines(fleet: Fleet) -> list[Line]:
    keys = tuple(fleet.keys)
    taken_in = {"mode": "publish", "publishers": _PUBLISHERS, "topic": "v1/up"}
    shared = {"mode": "publish", "publishers": _PUBLISHERS, "subscribers": _SUBSCRIBERS}
    paced = {"mode": "paced", "publishers": _CLOCKED, "qos": 1, "rate": 10_000.0}
    return [
        Line("QoS 1 in, durable, 50 devices", {**taken_in, "qos": 1}, keys),
        Line("QoS 2 in, durable, 50 devices", {**taken_in, "qos": 2}, keys),
        Line("50 to 20 of an application, QoS 0", shared, keys),
        Line("50 to 20 of an application, QoS 1", {**shared, "qos": 1}, keys),
        Line("10,000/s of an application to 1: p99", paced, keys, is_late=True),
        Line("10,000/s in, durable: p99 of PUBACK",
             {**paced, "mode": "acknowledged", "topic": "v1/up"}, keys, is_late=True),
    ]  # fmt: skip


def _share(platform: Installation, fleet: Fleet) -> None:
    """Let the devices of the application publish and subscribe to `bench/#`."""
    body = {"topic": "bench/#", "publish": True, "subscribe": True}
    path = f"/api/v1/applications/{fleet.application_ids[0]}/topic-rules"
    with contextlib.closing(platform.client()) as client:
        client.post(path, json=body).raise_for_status()


def _compare(line: Line, seconds: float, ours: Broker, theirs: Broker) -> None:
    rates: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    costs: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    lost = 0
    for _ in range(ROUNDS):
        for broker in (ours, theirs):
            keys = list(line.keys) if broker is ours else []
            outcome, cpu_s = run({**line.task, "keys": keys}, seconds, broker)
            figure = p99 if line.is_late else rate
            rates[broker.name].append(figure(outcome, cpu_s))
            costs[broker.name].append(cpu_s / max(outcome.count, 1) * 1e6)
            lost += outcome.lost if broker is ours else 0
    (our_rate, their_rate), (our_cost, their_cost) = (
        [statistics.median(found[broker.name]) for broker in (ours, theirs)]
        for found in (rates, costs)
    )
    digits, unit = (1, "ms") if line.is_late else (0, "messages/s")
    print(f"  {line.name:<36}{our_rate:>12,.{digits}f}{their_rate:>12,.{digits}f} {unit:<11}"
          f"{our_rate / their_rate:>8.2f}{our_cost:>8.2f}{their_cost:>8.2f}")  # fmt: skip
    if lost:
        print(f"    Moorage did not deliver {lost:,} messages")


def _storm(how: str, broker: Broker, fleet: Fleet, authority: str | None) -> None:
    """Print how fast 10,000 are back that were all connected and lost their connections at once.

    Plain, those that come first are new to Moorage's listener: it looks each of them up.
    """
    task = Task(
        mode="connect", port=broker.tls_port if authority else broker.port, seconds=0,
        publishers=_AT_ONCE, stay=IDLE, authority=authority, resume=authority is not None,
        keys=fleet.keys if broker.name == "Moorage" else [], lasts=how.endswith("last"),
    )  # fmt: skip
    for come in ("come", "come back"):
        before = cpu(broker)
        with Swarm(task) as swarm:
            swarm.start()
            outcome = swarm.result()
        took = outcome.ended - outcome.began
        found = f"; {outcome.resumed:,} found their session" if task.lasts else ""
        each = (cpu(broker) - before) / IDLE * 1e6
        print(f"  {IDLE:,} devices {come} at once, {how}, {broker.name}: all there after "
              f"{took:.1f} s; {each:.0f} µs each{found}")  # fmt: skip
        time.sleep(2)
