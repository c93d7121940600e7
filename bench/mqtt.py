"""(a) and (e): QoS 1 messages a second from 500 connections, and the memory it takes.

Closed loop: each connection has one message in flight and sends the next when its PUBACK is there.
The figure that counts is what was stored over the whole run, until the last reading was kept, not
what was acknowledged; the rows are counted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from uuid import UUID

from bench.generator import Job, Result
from bench.installation import Installation, Meter, directory, print_spent, running
from bench.load import Load
from bench.machine import Spent, proportional_bytes
from bench.rivals import mosquitto

CONNECTIONS = 500
SCRIPT = Path(__file__).parents[1] / "tests" / "payloads" / "elsys" / "ers.js"
GOALS = {"plain": (40_000, 25_000), "TLS": (25_000, 15_000), "JavaScript": (20_000, 10_000)}
MEMORY_GOAL = 1_000_000_000


def plain(seconds: float) -> None:
    """Measure without encryption, and Mosquitto beside it."""
    rate = _measure("plain", seconds)
    mosquitto.compare(min(seconds, 30), CONNECTIONS, rate)


def tls(seconds: float) -> None:
    """Measure over TLS."""
    _measure("TLS", seconds)


def javascript(seconds: float) -> None:
    """Measure through a JavaScript decoder."""
    _measure("JavaScript", seconds)


def _measure(kind: str, seconds: float) -> float:
    with directory() as made, running(made) as platform:
        decoder_id = _decoder(platform) if kind == "JavaScript" else None
        fleet = platform.fleet(CONNECTIONS, decoder_id=decoder_id)
        time.sleep(5)
        at_rest = proportional_bytes(platform.processes())
        job = Job(
            mode="closed",
            port=platform.tls_port if kind == "TLS" else platform.mqtt_port,
            keys=fleet.keys,
            seconds=seconds,
            payload="elsys" if kind == "JavaScript" else "json",
            authority=platform.authority if kind == "TLS" else None,
        )
        with Load(job) as load, _Watch(platform) as watch:
            meter = Meter(platform)
            load.start()
            result = load.result()
            waiting = platform.backlog()
            drained_at = platform.drain()
            parts = meter.spent()
        parts["generator"] = Spent(*result.cpu_s)
        return _report(kind, platform, result, waiting, drained_at, parts, (at_rest, watch.most))


def _decoder(platform: Installation) -> UUID:
    fleet = platform.fleet(1, name="Decoders")
    body = {
        "organizationId": str(fleet.organization_id),
        "name": "ERS",
        "script": SCRIPT.read_text(encoding="utf-8"),
        "shared": True,
    }
    with contextlib.closing(platform.client()) as client:
        answer = client.post("/api/v1/decoders", json=body).raise_for_status()
    return UUID(answer.json()["id"])


def _report(
    kind: str,
    platform: Installation,
    result: Result,
    waiting: int,
    drained_at: float,
    parts: dict[str, Spent],
    memory: tuple[int, int],
) -> float:
    ledger, history, states = platform.kept()
    whole = result.sent == result.accepted == ledger == history == states
    accepted_rate = result.accepted / (result.ended - result.began)
    stored_rate = history / (drained_at - result.began)
    rate = min(accepted_rate, stored_rate)
    goal, least = GOALS[kind]
    p50, p95, p99 = result.latency_ms
    steady = sorted(result.seconds[1:-1]) or result.seconds
    print(f"\nMQTT QoS 1, {kind}, {CONNECTIONS} connections, one message in flight each")
    print(f"  accepted {accepted_rate:,.0f}/s (each second: median {steady[len(steady) // 2]:,}, "
          f"least {steady[0]:,}); {waiting:,} waited at the end, drained "
          f"{drained_at - result.ended:.1f} s later")  # fmt: skip
    print(f"  stored {stored_rate:,.0f}/s over {drained_at - result.began:.0f} s until drained: "
          f"{rate:,.0f}/s counts; goal {goal:,}, at least {least:,}: "
          f"{_verdict(rate, goal, least)}")  # fmt: skip
    print(f"  PUBACK after p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
    print(f"  sent {result.sent:,} = acknowledged {result.accepted:,} = ledger {ledger:,} = "
          f"history {history:,} = states {states:,}: {'yes' if whole else 'NO'}")  # fmt: skip
    size = platform.ask("SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
                        "WHERE inhparent = 'ledger_raw'::regclass")  # fmt: skip
    print(f"  ledger: {size / max(ledger, 1):.0f} bytes on disk a message, indexes included")
    rest, most = (size / 1e6 for size in memory)
    verdict = "reached" if most * 1e6 < MEMORY_GOAL else "missed"
    print(f"  memory (PSS of all processes): {rest:.0f} MB at rest, {most:.0f} MB at most; "
          f"goal under 1,000 MB: {verdict}")  # fmt: skip
    print_spent(parts, result.accepted, drained_at - result.began)
    return rate


def _verdict(rate: float, goal: float, least: float) -> str:
    return "reached" if rate >= goal else "enough" if rate >= least else "MISSED"


class _Watch:
    """Looks at the memory of an installation every two seconds."""

    def __init__(self, platform: Installation) -> None:
        self._platform = platform
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.most = 0

    def _run(self) -> None:
        while not self._stop.wait(2):
            self.most = max(self.most, proportional_bytes(self._platform.processes()))

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
