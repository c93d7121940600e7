"""kill -9 at random points under load: nothing acknowledged is lost, nothing stored twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from installation import Installation, running, words_of
from scenarios import books
from scenarios.publishers import Publisher, fleet
from targets.servers import HttpServer, http_server

# Whom to kill, in an order that the seed shuffles.
VICTIMS = (
    ["api"] * 3 + ["listen"] * 4 + ["work"] * 3 + ["backend"] * 4 + ["postgres"] * 2
    + ["decoder"] * 3 + ["fork server"] * 1 + ["supervisor"] * 1 + ["everything"] * 1
)  # fmt: skip
SCRIPT = """
function decodeUplink(input) {
  var n = 0;
  for (var i = 0; i < input.bytes.length; i++) n = n * 256 + input.bytes[i];
  return {data: {seq: n}};
}
"""


@pytest.fixture
async def receiver() -> AsyncIterator[HttpServer]:
    async with http_server() as server:
        yield server


@pytest.mark.timeout(300)
async def test_what_is_acknowledged_is_kept_exactly_once_whatever_is_killed(
    tmp_path: Path, receiver: HttpServer
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))
    sys.stdout.write(f"CHAOS_SEED={seed}\n")  # Shown if the test fails; set it to repeat.
    chance = random.Random(seed)
    victims = VICTIMS.copy()
    chance.shuffle(victims)
    with running(tmp_path / "data") as platform:
        organization_id = platform.organization("Storm")
        application_id = platform.application(organization_id, "Buoys")
        platform.target(application_id, receiver.url)
        publishers = fleet(platform, application_id, platform.decoder(organization_id, SCRIPT))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as load:
            for publisher in publishers:
                load.create_task(publisher.run(stop))
            try:
                for victim in victims:
                    await _await_progress(publishers)
                    await asyncio.sleep(chance.uniform(0, 0.5))
                    await asyncio.to_thread(_kill, platform, victim, chance)
                await asyncio.to_thread(platform.await_ready)
                await asyncio.sleep(1)
            finally:
                stop.set()
        for publisher in publishers:
            waiting = publisher.sent - len(publisher.acknowledged)
            told = f"{publisher}: {waiting} of {publisher.sent} are not answered"
            assert not waiting, f"{told}\n{platform.last_words()}"
        stored = await asyncio.to_thread(books.check, platform.database_url, publishers)
        assert stored == sum(publisher.sent for publisher in publishers)
        await _check_deliveries(receiver, publishers)
        sys.stdout.write(
            f"{stored} messages, {len(victims)} kills, {len(receiver.requests)} deliveries\n"
        )


async def _check_deliveries(receiver: HttpServer, publishers: Sequence[Publisher]) -> None:
    """Wait until every message was delivered; each had one key, and a device's came in order."""
    wanted = {(p.device.id, number) for p in publishers for number in range(1, p.sent + 1)}
    keys: dict[tuple[str, int], set[str]] = defaultdict(set)
    last: dict[str, int] = defaultdict(int)
    seen = 0
    deadline = time.monotonic() + 60
    while keys.keys() != wanted:
        assert time.monotonic() < deadline, f"{len(wanted - keys.keys())} were not delivered"
        new, seen = receiver.requests[seen:], len(receiver.requests)
        for request in new:
            body = json.loads(request.body)
            place = body["device"]["id"], int(body["readings"]["seq"])
            assert place in keys or place[1] == last[place[0]] + 1, f"{place} is out of order"
            last[place[0]] = max(last[place[0]], place[1])
            keys[place].add(request.headers["idempotency-key"])
        await asyncio.sleep(0.1)
    assert {len(own) for own in keys.values()} == {1}
    assert len(set.union(*keys.values())) == len(wanted)


async def _await_progress(publishers: Sequence[Publisher]) -> None:
    """Wait until messages get through again, over one door at least."""
    before = [len(publisher.acknowledged) for publisher in publishers]
    deadline = time.monotonic() + 60
    while [len(publisher.acknowledged) for publisher in publishers] == before:
        assert time.monotonic() < deadline, "nothing gets through any more"
        await asyncio.sleep(0.05)


def _kill(platform: Installation, victim: str, chance: random.Random) -> None:
    """Kill one process, or all, and wait until it is there again."""
    if victim in ("supervisor", "everything"):
        if victim == "everything":
            platform.kill_all()
            platform.start()
        else:
            _replace_supervisor(platform)
        platform.await_ready()
        return
    sys.stdout.write(f"{datetime.now(UTC).time()} {victim}\n")
    platform.until(lambda: _killed_one(platform, victim, chance), f"no {victim} to kill")


def _killed_one(platform: Installation, victim: str, chance: random.Random) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        if candidates := _candidates(platform, victim):
            chance.choice(candidates).kill()
            return True
    return False


def _replace_supervisor(platform: Installation) -> None:
    """Kill the supervisor and start another while a part has not heard yet that it is to end."""
    api = platform.part("api")
    assert platform.process is not None
    with contextlib.suppress(psutil.NoSuchProcess), contextlib.ExitStack() as later:
        if api is not None:
            api.suspend()  # It holds its port.
            later.callback(api.resume)
        platform.supervisor().kill()
        platform.process.wait()
        platform.start()
        time.sleep(1)


def _candidates(platform: Installation, victim: str) -> list[psutil.Process]:
    if victim == "backend":
        return platform.below("postgres")
    if victim == "fork server":
        return [p for p in platform.tree() if "moorage.entry.fork_server" in words_of(p)]
    if victim == "decoder":
        return [process for process in platform.below("work") if process.children()] or (
            platform.below("work")
        )
    part = platform.part(victim)
    return [part] if part else []
