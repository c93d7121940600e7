"""Which messages go where: routes, filters, samples, moves, replays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from moorage import devices, groups, ledger
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.targets import Intake, Replayer, Target, service, store
from moorage.targets.model import Comparison, Condition, Content, Sampling, Source
from targets.world import ROOT, World, a_message


async def waiting(database: Database, target: Target) -> list[Content]:
    """Give what waits for a target, in order."""
    async with database.begin() as tx:
        rows = await tx.execute(
            "SELECT content FROM target_outbox WHERE target_id = :id ORDER BY n", {"id": target.id}
        )
        return [msgspec.msgpack.decode(row.content, type=Content) for row in rows]


async def numbers(world: World, target: Target) -> list[Any]:
    return [json.loads(c.document or b"")["n"] for c in await waiting(world.database, target)]


def an_intake(world: World) -> Intake:
    return Intake(world.database, Doorbells(world.database), 0)


async def test_a_route_takes_the_devices_and_tags_it_names(world: World) -> None:
    one, two = await world.a_device("One", "wet"), await world.a_device("Two", "wet", "cold")
    every, named, tagged = [await world.a_target() for _ in range(3)]
    await world.a_route(every)
    await world.a_route(named, device_ids=(one.id,))
    await world.a_route(tagged, tags=("cold", "wet"))
    await world.derive(a_message(one, {"n": 1}), a_message(two, {"n": 2}))
    assert await an_intake(world).step() == 2
    assert await numbers(world, every) == [1, 2]
    assert await numbers(world, named) == [1]
    assert await numbers(world, tagged) == [2]


async def test_what_a_sender_in_the_inbox_says_goes_nowhere_until_it_is_adopted(
    world: World,
) -> None:
    target = await world.a_target()
    await world.a_route(target)
    async with world.database.begin(ROOT) as tx:
        shown = await devices.open_inbox(tx, ROOT, world.application.id)
        kind = devices.DeviceKind.HTTP
        sender = await devices.arrive(tx, shown.inbox, "stranger", kind, lambda: True)
        device = await devices.get(tx, ROOT, sender.device_id)
    intake = an_intake(world)
    await world.derive(a_message(device, {"n": 1}))
    assert await intake.step() == 1
    async with world.database.begin(ROOT) as tx:
        await devices.adopt(tx, ROOT, device.id, {})
    await world.derive(a_message(device, {"n": 2}))
    await an_intake(world).step()
    assert await numbers(world, target) == [2]


async def test_a_disabled_route_takes_nothing_and_one_message_may_take_two_routes(
    world: World,
) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target)
    await world.a_route(target)
    await world.a_route(target, enabled=False)
    await world.derive(a_message(device, {"n": 1}))
    await an_intake(world).step()
    assert await numbers(world, target) == [1, 1]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("readings.n", Comparison.GREATER, 2), [3]),
        (Condition("readings.n", Comparison.AT_LEAST, 2), [2, 3]),
        (Condition("readings.n", Comparison.LESS, 2), [1]),
        (Condition("document.site.name", Comparison.EQUAL, "north"), [2]),
        (Condition("document.site.name", Comparison.UNEQUAL, "north"), [1, 3]),
        (Condition("document.site", Comparison.EXISTS), [2]),
        (Condition("document.site", Comparison.EXISTS, False), [1, 3]),
        (Condition("document.kinds", Comparison.CONTAINS, "b"), [3]),
        (Condition("channel", Comparison.EQUAL, "alarm"), [1]),
        (Condition("readings.nothing", Comparison.LESS, 5), []),
    ],
)
async def test_a_filter_lets_through_what_it_says(
    condition: Condition, expected: list[int], world: World
) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target, conditions=(condition,))
    await world.derive(
        a_message(device, {"n": 1}, channel="alarm"),
        a_message(device, {"n": 2}, document={"n": 2, "site": {"name": "north"}}),
        a_message(device, {"n": 3}, document={"n": 3, "kinds": ["a", "b"]}),
    )
    await an_intake(world).step()
    assert await numbers(world, target) == expected


async def test_samples_are_counted_for_each_device_over_batches_and_restarts(
    world: World,
) -> None:
    one, two = await world.a_device("One"), await world.a_device("Two")
    target = await world.a_target()
    await world.a_route(target, sampling=Sampling(every=3))
    for start in (0, 4):
        await world.derive(*(a_message(one, {"n": n}) for n in range(start, start + 4)))
        await world.derive(a_message(two, {"n": 100 + start}))
        await an_intake(world).step()
    assert await numbers(world, target) == [0, 3, 100, 6]


async def test_at_most_one_message_passes_in_an_interval(world: World) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target, sampling=Sampling(interval_s=60))
    start_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    await world.derive(
        *(a_message(device, {"n": s}, received_us=start_us + s * 1_000_000) for s in
          (0, 59, 60, 100, 130))
    )  # fmt: skip
    await an_intake(world).step()
    assert await numbers(world, target) == [0, 60, 130]


async def test_bytes_as_received_travel_untouched(world: World) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target, source=Source.RAW)
    raw = ledger.RawMessage(
        device.number, bytes(16), 1, ledger.Protocol.MQTT, "", b"\x01\x02\xff", "application/x"
    )
    async with world.database.begin() as tx:
        n = await ledger.place(tx, ledger.LogName.RAW, 0, [ledger.frame_of(raw).body])
    await world.derive(a_message(device, n=n))
    await an_intake(world).step()
    (content,) = await waiting(world.database, target)
    assert (content.payload, content.content_type) == (b"\x01\x02\xff", "application/x")
    assert content.document is None


async def test_a_device_that_moves_takes_the_routes_of_its_new_application(world: World) -> None:
    device = await world.a_device("One")
    old = await world.a_target()
    await world.a_route(old)
    async with world.database.begin(ROOT) as tx:
        new = groups.NewApplication(world.organization.id, "Lamps")
        other = await groups.make(tx, ROOT, new)
    intake = an_intake(world)
    await world.derive(a_message(device, {"n": 1}))
    await intake.step()
    async with world.database.begin(ROOT) as tx:
        await devices.move(tx, ROOT, device.id, other.id)
    # The doorbell is not running here; a worker that comes anew reads the same.
    await world.derive(a_message(device, {"n": 2}))
    await an_intake(world).step()
    assert await numbers(world, old) == [1]


async def test_a_batch_is_taken_in_once(world: World) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target)
    await world.derive(a_message(device, {"n": 1}))
    first, second = an_intake(world), an_intake(world)
    assert await first.step() == 1
    assert await second.step() == 0
    assert await numbers(world, target) == [1]


async def test_a_replay_sends_a_period_again_under_new_keys(world: World) -> None:
    device = await world.a_device("One")
    target, other = await world.a_target(), await world.a_target()
    await world.a_route(target, sampling=Sampling(every=1))
    await world.a_route(other)
    now = datetime.now(UTC)
    times = [now - timedelta(minutes=m) for m in (30, 20, 10)]
    await world.derive(
        *(a_message(device, {"n": n}, received_us=int(at.timestamp() * 1e6)) for n, at in
          enumerate(times))
    )  # fmt: skip
    await an_intake(world).step()
    async with world.database.begin(ROOT) as tx:
        start, end = now - timedelta(minutes=25), now - timedelta(minutes=5)
        replay = await service.ask_replay(tx, ROOT, target.id, start, end)
    replayer = Replayer(world.database, Doorbells(world.database), 1)
    while await replayer.step():
        pass
    assert await numbers(world, target) == [0, 1, 2, 1, 2]
    assert await numbers(world, other) == [0, 1, 2]
    async with world.database.begin(ROOT) as tx:
        done = await service.get_replay(tx, ROOT, target.id, replay.id)
        keys = (await tx.execute("SELECT DISTINCT key FROM target_outbox")).all()
    assert (done.state, done.enqueued) == ("done", 2)
    assert len(keys) == 3 + 3 + 2
    assert (await world.statement(target)).sent == 5


async def test_a_target_removed_while_messages_are_under_way_is_no_trouble(world: World) -> None:
    device = await world.a_device("One")
    kept, removed = await world.a_target(), await world.a_target()
    for target in (kept, removed):
        await world.a_route(target)
    today = datetime.now(UTC).date()
    async with world.database.begin(ROOT) as tx:
        await service.remove(tx, ROOT, removed.id)

    # What an intake does that read the routes before.
    async with world.database.begin() as tx:
        await store.count(tx, "sent", {(kept.id, today): 1, (removed.id, today): 1})
        await store.count(tx, "sent", {(removed.id, today): 1})

    await world.derive(a_message(device, {"n": 1}))
    await an_intake(world).step()
    assert await numbers(world, kept) == [1]
    assert (await world.statement(kept)).days[-1].sent == 2
