"""A worker that is killed loses nothing: what was accepted is known, the rest comes again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from targets.servers import Answer, HttpServer
from targets.world import World, a_message, documents

WORKER = Path(__file__).with_name("worker_process.py")


async def test_a_killed_worker_delivers_everything_at_least_once_under_the_same_key(
    world: World, server: HttpServer
) -> None:
    dice = random.Random(11)
    bins = [await world.a_device(f"Bin {n}") for n in range(8)]
    target = await world.a_target(server.url)
    await world.a_route(target)
    server.behave = lambda _r: Answer(after_s=dice.random() * 0.01)
    total = 600
    sent = 0
    for kill in range(3):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, str(WORKER), world.database.url,
            env={**os.environ, "PYTHONPATH": str(WORKER.parents[1])},
        )  # fmt: skip
        try:
            batch = total // 3
            await world.derive(
                *(a_message(bins[n % 8], {"n": n}) for n in range(sent, sent + batch))
            )
            sent += batch
            if kill < 2:
                # Somewhere in the middle of this batch.
                await server.wait_for(len(server.requests) + dice.randrange(10, batch), 60)
            else:
                await world.until_pending(target)
                assert (await world.statement(target)).accepted == total
        finally:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
    by_number: dict[int, set[str]] = {}
    for number, request in zip(documents(server.requests), server.requests, strict=True):
        by_number.setdefault(number, set()).add(request.headers["idempotency-key"])
    assert sorted(by_number) == list(range(total))
    assert all(len(keys) == 1 for keys in by_number.values())
    for index in range(8):
        # Repeats aside, each device's messages came in order.
        firsts = list(dict.fromkeys(n for n in documents(server.requests) if n % 8 == index))
        assert firsts == sorted(firsts)
    statement = await world.statement(target)
    assert (statement.sent, statement.accepted, statement.pending) == (total, total, 0)
