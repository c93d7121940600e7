"""The broker beside Mosquitto and NATS: the same load on each, in turns, in one run.

`moorage listen --lab` is what is measured: the door's own broker and sockets, open to everybody and
without a database, so that no side keeps anything. What it costs to keep (a message in the
ledger before its PUBACK, its devices told apart) is measured by `door`. Every row is measured
`ROUNDS` times on each side, one after the other; what is printed are medians, and the ratio of
Moorage to Mosquitto. NATS takes part where it speaks MQTT: 3.1.1, QoS 0 and 1, without TLS here;
its QoS 1 is kept in files, as it cannot be otherwise.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.installation import NotReady, directory, free_ports
from bench.load import Swarm
from bench.machine import proportional_bytes, times
from bench.swarm import Outcome, Task
from moorage.testing.authority import Authority

ROUNDS = 3
START_S = 20.0
IDLE = 10_000


@dataclass(frozen=True)
class Broker:
    """A broker under load.

    Attributes:
        mutual_port: where clients have to show certificates; 0 if they may at `tls_port`.
    """

    name: str
    pid: int
    port: int
    tls_port: int
    mutual_port: int = 0

    def port_for(self, task: dict[str, object]) -> int:
        """Give the port for the clients of a task."""
        if task.get("certificate") and self.mutual_port:
            return self.mutual_port
        return self.tls_port if task.get("authority") else self.port

    def processes(self) -> list[int]:
        """Give its processes."""
        own = psutil.Process(self.pid)
        return [self.pid, *(child.pid for child in own.children(recursive=True))]


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: as it is printed.
        task: without its port.
        figure: what counts, of an outcome and the broker's CPU seconds.
        unit: of the figure.
        more_is_better: else less is.
        with_nats: whether NATS takes part.
    """

    name: str
    task: dict[str, object]
    figure: Callable[[Outcome, float], float]
    unit: str
    more_is_better: bool = True
    with_nats: bool = False


def rate(outcome: Outcome, _cpu_s: float) -> float:
    """Give what happened in a second."""
    return outcome.count / (outcome.ended - outcome.began)


def p99(outcome: Outcome, _cpu_s: float) -> float:
    """Give the 99th percentile of the latency in milliseconds."""
    return outcome.latency_ms[2]


def _publish(name: str, **task: object) -> Row:
    with_nats = task.get("qos", 0) != 2 and "authority" not in task
    return Row(name, {"mode": "publish", **task}, rate, "messages/s", with_nats=with_nats)


def rows(authority: str, certificate: str, key: str) -> list[Row]:
    """Give what is measured, in order."""
    tls = {"authority": authority}
    mutual = {**tls, "certificate": certificate, "key": key}
    return [
        _publish("QoS 0 in, 50 clients", publishers=50),
        _publish("QoS 1 in, 50 clients", publishers=50, qos=1),
        _publish("QoS 2 in, 50 clients", publishers=50, qos=2),
        _publish("QoS 1 in over TLS, 50 clients", publishers=50, qos=1, **tls),
        _publish("fan-out to 1, QoS 0", publishers=1, subscribers=1),
        _publish("fan-out to 10, QoS 0", publishers=1, subscribers=10),
        _publish("fan-out to 100, QoS 0", publishers=1, subscribers=100),
        _publish("fan-out to 1,000, QoS 0", publishers=1, subscribers=1_000),
        _publish("fan-out to 100, QoS 1", publishers=1, subscribers=100, qos=1),
        _publish("50 to 20, QoS 0", publishers=50, subscribers=20),
        _publish("50 to 20, QoS 1", publishers=50, subscribers=20, qos=1),
        Row("connects, plain", {"mode": "connect", "publishers": 50}, rate, "a second",
            with_nats=True),
        Row("connects, TLS", {"mode": "connect", "publishers": 20, **tls}, rate, "a second"),
        Row("connects, TLS resumed", {"mode": "connect", "publishers": 20, "resume": True, **tls},
            rate, "a second"),
        Row("connects, mutual TLS", {"mode": "connect", "publishers": 20, **mutual}, rate,
            "a second"),
        Row("10,000 messages/s to 1, QoS 1: p99",
            {"mode": "paced", "publishers": 100, "qos": 1, "rate": 10_000.0}, p99, "ms",
            more_is_better=False, with_nats=True),
    ]  # fmt: skip


def main(seconds: float) -> None:
    """Measure every row, then a storm of connections and their memory."""
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        print("  not measured: Mosquitto is not installed (apt-get install mosquitto)")
        return
    with directory() as made, contextlib.ExitStack() as stack:
        authority = Authority(made)
        trust = made / "authority.crt"
        trust.write_text(authority.certificate)
        authority.files("localhost")
        certificate, key = authority.files("client")
        ours = stack.enter_context(_moorage(made))
        theirs = stack.enter_context(mosquitto(made))
        others = stack.enter_context(nats(made))
        print(f"  {'':<36}{'Moorage':>12}{'Mosquitto':>12}{'NATS':>12}{'':<12}{'ratio':>8}"
              f"{'CPU µs each':>24}{'ratio':>8}")  # fmt: skip
        for row in rows(str(trust), str(certificate), str(key)):
            _compare(row, seconds, ours, theirs, *([others] if row.with_nats else []))
        mutual = {"certificate": str(certificate), "key": str(key), "resume": False}
        _storm("plain", {}, ours, theirs, others)
        _storm("TLS resumed", {"authority": str(trust), "resume": True}, ours, theirs)
        _storm("mutual TLS", {"authority": str(trust), **mutual}, ours, theirs)


def _compare(row: Row, seconds: float, *brokers: Broker) -> None:
    figures: dict[str, list[float]] = {broker.name: [] for broker in brokers}
    costs: dict[str, list[float]] = {broker.name: [] for broker in brokers}
    lost: dict[str, int] = {broker.name: 0 for broker in brokers}
    for _ in range(ROUNDS):
        for broker in brokers:
            outcome, cpu_s = run(row.task, seconds, broker)
            figures[broker.name].append(row.figure(outcome, cpu_s))
            costs[broker.name].append(cpu_s / max(outcome.count, 1) * 1e6)
            lost[broker.name] += outcome.lost
    ours, theirs, *_others = found = [statistics.median(one) for one in figures.values()]
    our_cost, their_cost, *_others = spent = [statistics.median(one) for one in costs.values()]
    digits = 0 if row.more_is_better else 2
    shown = "".join(f"{one:>12,.{digits}f}" for one in found)
    each = "".join(f"{one:>8.2f}" for one in spent)
    print(f"  {row.name:<36}{shown:<36} {row.unit:<11}{ours / theirs:>8.2f}{each:<24}"
          f"{our_cost / max(their_cost, 0.01):>8.2f}")  # fmt: skip
    for name, count in lost.items():
        if count:
            print(f"    {name} did not deliver {count:,} messages")


def run(task: dict[str, object], seconds: float, broker: Broker) -> tuple[Outcome, float]:
    """Do a task, and give what came of it and the CPU seconds of the broker."""
    wanted = Task(port=broker.port_for(task), seconds=seconds, **task)  # type: ignore[arg-type]
    with Swarm(wanted) as load:
        before = cpu(broker)
        load.start()
        outcome = load.result()
        return outcome, cpu(broker) - before


def _storm(name: str, how: dict[str, object], *brokers: Broker) -> None:
    """Print how fast `IDLE` clients are there, and what each takes of a broker's memory."""
    for broker in brokers:
        port = broker.port_for(how)
        before = proportional_bytes(broker.processes())
        wanted = {"mode": "connect", "port": port, "seconds": 0, "publishers": 200, "stay": IDLE}
        with Swarm(Task(**wanted, **how)) as load:  # type: ignore[arg-type]
            load.start()
            outcome = load.result()
            taken = proportional_bytes(broker.processes()) - before
        took = outcome.ended - outcome.began
        print(f"  {IDLE:,} clients come at once, {name}, {broker.name}: there after {took:.1f} s "
              f"({IDLE / took:,.0f}/s); {taken / IDLE / 1024:.2f} KiB each")  # fmt: skip
        time.sleep(2)


def cpu(broker: Broker) -> float:
    """Give the CPU seconds that a broker has spent."""
    return sum(spent.total_s for spent in times(dict.fromkeys(broker.processes(), "")).values())


@contextlib.contextmanager
def _moorage(made: Path) -> Iterator[Broker]:
    port, tls_port, websocket_port = free_ports(3)
    command = [
        *(sys.executable, "-P", "-m", "moorage.entry.cli", "listen", "--lab"),
        *("--mqtt-port", str(port), "--mqtt-tls-port", str(tls_port), "--log-level", "warning"),
    ]
    files = {"CERTIFICATE": "localhost.crt", "KEY": "localhost.key", "AUTHORITY": "authority.crt"}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")},
        "MOORAGE_DATA_DIR": str(made),
        "MOORAGE_MQTT_LAB_WEBSOCKET_PORT": str(websocket_port),
        **{f"MOORAGE_TLS_{name}": str(made / file) for name, file in files.items()},
    }
    with process(command, made / "moorage.log", port, environment) as pid:
        yield Broker("Moorage", pid, port, tls_port)


@contextlib.contextmanager
def mosquitto(made: Path) -> Iterator[Broker]:
    """Run Mosquitto for everybody, plain and over TLS; `made` has the files of an authority.

    It asks for certificates on a port of their own only, and then of all.
    """
    port, tls_port, mutual_port = free_ports(3)
    encrypted = (
        f"allow_anonymous true\ncafile {made}/authority.crt\n"
        f"certfile {made}/localhost.crt\nkeyfile {made}/localhost.key\n"
    )
    configuration = made / "mosquitto.conf"
    configuration.write_text(
        f"user root\nlog_type error\nmax_queued_messages 0\nmax_inflight_messages 0\n"
        f"listener {port} 127.0.0.1\nallow_anonymous true\n"
        f"listener {tls_port} 127.0.0.1\n{encrypted}"
        f"listener {mutual_port} 127.0.0.1\n{encrypted}require_certificate true\n"
    )
    command = ["/usr/sbin/mosquitto", "-c", str(configuration)]
    with process(command, made / "mosquitto.log", port) as pid:
        yield Broker("Mosquitto", pid, port, tls_port, mutual_port)


@contextlib.contextmanager
def nats(made: Path) -> Iterator[Broker]:
    """Run NATS for everybody, plain."""
    client, port = free_ports(2)
    configuration = made / "nats.conf"
    # MQTT needs a name and JetStream. `#` counts as two subscriptions, together 65,535 at most.
    configuration.write_text(
        f'server_name: bench\nhost: "127.0.0.1"\nport: {client}\n'
        f'jetstream {{ store_dir: "{made}/nats" }}\n'
        f'mqtt {{ host: "127.0.0.1", port: {port}, max_ack_pending: 30000 }}\n'
    )
    command = [str(Path(sys.executable).with_name("nats-server")), "-c", str(configuration)]
    with process(command, made / "nats.log", port) as pid:
        yield Broker("NATS", pid, port, 0)


@contextlib.contextmanager
def process(
    command: list[str], output: Path, port: int, environment: dict[str, str] | None = None
) -> Iterator[int]:
    with output.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        _wait(port, process, output)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise NotReady(f"The broker did not start:\n{output.read_text(encoding='utf-8')[-2000:]}")
