"""What a batch costs the worker, the feed and their database, by size; and a bare transaction.

A database of its own and nothing beside it: messages are put into the ledger, then one step is
made of each part in turn. What counts is CPU time (user and system) of this process and of the
parts' own connections in PostgreSQL, the least and the median of all steps; not how long it took.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psycopg
import uvloop

from bench.installation import directory, fleet_of, operator
from moorage import decoders, ingest, ledger, targets, telemetry
from moorage.entry import data_directory, migrate, postgres
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7_bytes
from moorage.ledger import Frame, RawMessage

DEVICES, WATCHED = 500, 20
SIZES = {25: 300, 100: 100, 4_000: 12}
RINGS = 2_000
_encode = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Measure and print."""
    with directory() as made, data_directory.locked(made), postgres.embedded(made) as server:
        migrate.migrate(server.url)
        uvloop.run(_measure(server.url))


async def _measure(url: str) -> None:
    database = Database(url, pool_size=4, name="bench")
    async with database.begin(operator()) as tx:
        fleet = await fleet_of(tx, operator(), DEVICES)
        await ledger.open_log(tx, 1)
        await telemetry.make_days(tx)
        await targets.make_days(tx)
        numbers = [n for (n,) in await tx.execute("SELECT number FROM devices ORDER BY number")]
    print(f"  {'CPU µs a batch, least (median)':<44}{'this process':>20}{'PostgreSQL':>20}")
    await _transactions(url)
    await _rings(url)
    log = ledger.PostgresLog(database)
    async with _parts(url, fleet.ids, numbers) as parts:
        for size, rounds in SIZES.items():
            meters: dict[str, _Meter] = defaultdict(_Meter)
            for turn in range(-3, rounds):
                frames = [_message(numbers[i % DEVICES], turn) for i in range(size)]
                await log.append(0, frames)
                for name, (part, step) in parts.items():
                    if turn < 0:
                        await step()
                        meters[name].pids = _backends(url, part)
                    else:
                        await meters[name].measure(step)
            for name, meter in meters.items():
                meter.print(f"{name}, {size:,} messages")
    await log.close()
    await database.close()


@asynccontextmanager
async def _parts(
    url: str, ids: Sequence[object], numbers: Sequence[int]
) -> AsyncIterator[dict[str, tuple[str, Callable[[], Awaitable[object]]]]]:
    """Give a step of each part, by the name of the part and of its connections."""
    several = [
        Database(url, pool_size=1, name=f"bench-{part}", durable=False)
        for part in ("process", "intake", "feed")
    ]
    bells = Doorbells(several[0])
    workshop = decoders.Workshop(several[0], bells, decoders.find_runtimes())
    deriver = ingest.Deriver(several[1], bells, workshop)
    process = ingest.Process(several[0], bells, workshop, 0)
    intake = targets.Intake(several[1], bells, 0, deriver)
    feed = telemetry.Feed(several[2], bells)
    watched = dict(zip(numbers[:WATCHED], ids[:WATCHED], strict=True))
    with feed.follow(watched) as follower:  # type: ignore[arg-type]
        await feed.look()

        async def show() -> None:
            await feed.look()
            follower.waiting.clear()

        yield {
            "ingest.Process": ("bench-process", process.step),
            "telemetry.Feed": ("bench-feed", show),
            "targets.Intake, nothing routed": ("bench-intake", intake.step),
        }
    await workshop.close()
    for one in several:
        await one.close()


async def _transactions(url: str) -> None:
    """Measure a transaction of one short statement by each way."""
    database = Database(url, pool_size=1, name="bench-tx", durable=False)

    async def built() -> None:
        async with database.begin() as tx:
            await tx.execute("SELECT 1")

    async def driven() -> None:
        async with database.begin() as tx:
            await (await tx.run(b"SELECT 1", {})).fetchone()

    async def alone() -> None:
        async with database.each() as tx:
            await tx.execute("SELECT 1")

    ways = {"begin, SQLAlchemy": built, "begin, driver": driven, "each, SQLAlchemy": alone}
    for name, way in ways.items():
        await way()
        meter = _Meter(_backends(url, "bench-tx"))
        for _ in range(20):
            await meter.measure(way, times=50)
        meter.print(f"transaction ({name})")
    await database.close()


async def _rings(url: str) -> None:
    """Measure what it costs to hear a doorbell."""
    database = Database(url, pool_size=1, name="bench-bell")
    bells = Doorbells(database, name="bench-bell")
    heard = asyncio.Event()
    bells.on("bench_bell", lambda _payload: heard.set())
    listening = asyncio.create_task(bells.run())
    await heard.wait()
    program = (
        "import sys, time, psycopg\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as c:\n"
        "    for _ in range(int(sys.argv[2])):\n"
        "        c.execute('NOTIFY bench_bell')\n"
        "        time.sleep(0.001)\n"
    )
    began = time.process_time()
    ringing = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, str(RINGS))
    await ringing.wait()
    spent = (time.process_time() - began) / RINGS * 1e6
    print(f"  {'a ring heard':<44}{spent:>12.1f}")
    listening.cancel()
    await database.close()


def _message(device: int, turn: int) -> Frame:
    values = {"n": turn, "temperature": 20 + device % 7 + turn / 8, "battery": 3.61}
    payload = msgspec.json.encode(values)
    message = RawMessage(device, uuid7_bytes(), time.time_ns() // 1000, 2, "", payload)
    return Frame(_encode(message))


def _backends(url: str, name: str) -> list[int]:
    """Give the processes that serve the connections of a name."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (name,)
        ).fetchall()
    return [pid for (pid,) in found]


def _ran_us(pids: Sequence[int]) -> float:
    """Give the microseconds that processes have run so far."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e3


class _Meter:
    """What steps cost this process and some others, in microseconds."""

    def __init__(self, pids: Sequence[int] = ()) -> None:
        self.pids = list(pids)
        self.ours: list[float] = []
        self.theirs: list[float] = []

    async def measure(self, step: Callable[[], Awaitable[object]], times: int = 1) -> None:
        """Make a step so many times, and take down what one cost."""
        theirs, ours = _ran_us(self.pids), time.process_time()
        for _ in range(times):
            await step()
        self.ours.append((time.process_time() - ours) * 1e6 / times)
        self.theirs.append((_ran_us(self.pids) - theirs) / times)

    def print(self, name: str) -> None:
        """Print a line."""
        cells = [
            f"{min(some):>10,.0f} ({statistics.median(some):,.0f})".rjust(20)
            for some in (self.ours, self.theirs)
        ]
        print(f"  {name:<44}{''.join(cells)}")
