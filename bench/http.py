"""(c): HTTP messages a second through the door of one API process.

Single: 64 connections, kept alive, a request with one message each. Batches: 8 connections, 1,000
messages a request, each request of another of 2,000 devices. Every answer is the 202 that follows
the commit. The rival in the same run, on the same database server: one process of uvicorn with a
FastAPI route that checks the body with pydantic and inserts a row.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg

from bench.generator import Job, Result
from bench.installation import (
    Installation,
    Meter,
    NotReady,
    directory,
    free_ports,
    print_spent,
    running,
)
from bench.load import Load
from bench.machine import Spent, times

GOALS = {1: 9_000, 1_000: 300_000}
DEVICES = {1: 500, 1_000: 2_000}
CONNECTIONS = {1: 64, 1_000: 8}


def main(seconds: float) -> None:
    """Measure single messages, batches and the rival."""
    with directory() as made, running(made) as platform:
        single = _measure(platform, 1, seconds)
        _rival(platform, min(seconds, 20), single)
    with directory() as made, running(made) as platform:
        _measure(platform, 1_000, min(seconds, 15))


def _job(port: int, keys: list[str], batch: int, seconds: float) -> Job:
    return Job(
        mode="closed", kind="http", port=port, keys=keys, seconds=seconds,
        connections=CONNECTIONS[batch], batch=batch,
    )  # fmt: skip


def _measure(platform: Installation, batch: int, seconds: float) -> float:
    keys = platform.fleet(DEVICES[batch], name=f"Batch {batch}").keys
    with Load(_job(platform.api_port, keys, batch, seconds)) as load:
        meter = Meter(platform)
        load.start()
        result = load.result()
        accepting = meter.spent()
        drained_at = platform.drain()
        parts = meter.spent()
    ledger, history, _states = platform.kept()
    rate = _rate(result)
    goal = GOALS[batch]
    print(f"\nHTTP, {batch} message{'s' * (batch > 1)} a request, {CONNECTIONS[batch]} connections")
    print(f"  accepted {rate:,.0f}/s, refused {result.refused:,}; goal {goal:,}: "
          f"{'reached' if rate >= goal else 'missed'}")  # fmt: skip
    print(f"  answer after p50 {result.latency_ms[0]:.1f} ms, p95 {result.latency_ms[1]:.1f} ms")
    print(
        f"  API process: {accepting['api'].total_s / (result.ended - result.began):.0%} of a core"
    )
    print(f"  ledger {ledger:,}, history {history:,} (all runs on this database); stored at "
          f"{result.accepted / (drained_at - result.began):,.0f}/s until drained")  # fmt: skip
    parts["generator"] = Spent(*result.cpu_s)
    print_spent(parts, result.accepted, drained_at - result.began)
    return rate


def _rate(result: Result) -> float:
    return result.accepted / (result.ended - result.began)


def _rival(platform: Installation, seconds: float, ours: float) -> None:
    with psycopg.connect(platform.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE rival")
    url = platform.url.replace("/moorage?", "/rival?", 1)
    (port,) = free_ports(1)
    server = psutil.Popen(
        [sys.executable, "-P", "-m", "bench.rivals.fastapi_route", str(port), url],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    try:
        _wait(port, server)
        job = _job(port, [str(n) for n in range(DEVICES[1])], 1, seconds)
        with Load(job) as load:
            before = times({server.pid: ""})[server.pid]
            load.start()
            result = load.result()
            after = times({server.pid: ""})[server.pid]
        theirs = _rate(result)
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM messages").fetchone()
        spent = (after.total_s - before.total_s) * 1e6 / max(1, result.accepted)
        print(f"  rival: FastAPI, pydantic, an INSERT a message ({row and row[0]:,} rows): "
              f"{theirs:,.0f}/s, {spent:.0f} µs CPU a message in its process; "
              f"ours is {ours / theirs:.1f} times it")  # fmt: skip
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)


def _wait(port: int, server: psutil.Popen) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise NotReady("The rival's server did not start.")
