"""Which messages go where: routes, filters, samples, moves, replays."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

import past
from moorage import devices, groups, ingest, ledger
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.targets import Intake, Replayer, Target, service, store
from moorage.targets.model import Comparison, Condition, Content, Sampling, Source
from moorage.targets.service import catalogue, replayer
from targets.world import ROOT, World, a_message, a_workshop


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
    # No route here has a decoder of its own, so none is started.
    doorbells = Doorbells(world.database)
    deriver = ingest.Deriver(world.database, doorbells, a_workshop(world.database, doorbells))
    return Intake(world.database, doorbells, 0, deriver)


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
        (Condition("document.site.name", Comparison.CONTAINS, 5), []),
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


async def replay(world: World, target: Target, start: datetime, end: datetime) -> Any:
    """Ask for a replay and work it off, a worker a step."""
    async with world.database.begin(ROOT) as tx:
        asked = await service.ask_replay(tx, ROOT, target.id, start, end)
    doorbells = Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    deriver = ingest.Deriver(world.database, doorbells, workshop)
    while await Replayer(world.database, doorbells, 1, deriver).step():
        pass
    await workshop.close()
    async with world.database.begin(ROOT) as tx:
        return await service.get_replay(tx, ROOT, target.id, asked.id)


async def test_a_replay_sends_a_period_again_under_new_keys(world: World) -> None:
    device = await world.a_device("One")
    target, other = await world.a_target(), await world.a_target()
    await world.a_route(target, sampling=Sampling(every=1))
    await world.a_route(other)
    now = datetime.now(UTC)
    sent = []
    for n, minutes in enumerate((30, 20, 10)):
        received_us = int((now - timedelta(minutes=minutes)).timestamp() * 1e6)
        raw = past.a_message(device.number, json.dumps({"n": n}))
        raw.received_us = received_us
        at = await past.put(world.database, past.TODAY, raw)
        sent.append(a_message(device, {"n": n}, received_us=received_us, n=at, id=raw.id))
    await world.derive(*sent)
    await an_intake(world).step()

    done = await replay(
        world, target, now - timedelta(minutes=25), now - timedelta(minutes=5)
    )  # fmt: skip

    assert await numbers(world, target) == [0, 1, 2, 1, 2]
    assert await numbers(world, other) == [0, 1, 2]
    async with world.database.begin(ROOT) as tx:
        keys = (await tx.execute("SELECT DISTINCT key FROM target_outbox")).all()
    assert (done.state, done.enqueued) == ("done", 2)
    assert len(keys) == 3 + 3 + 2
    assert (await world.statement(target)).sent == 5


async def test_a_replay_waits_while_messages_do(world: World) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target)
    now = datetime.now(UTC)
    raw = past.a_message(device.number, json.dumps({"n": 1}))
    raw.received_us = int((now - timedelta(minutes=10)).timestamp() * 1e6)
    await past.put(world.database, past.TODAY, raw)
    log, doorbells = ledger.LogName.RAW, Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    async with world.database.begin(ROOT) as tx:
        await service.ask_replay(tx, ROOT, target.id, now - timedelta(hours=1), now)
        await ledger.position_of(tx, "process", log, 0)
        await ledger.place(tx, log, 0, [ledger.frame_of(raw).body] * replayer.MOST_WAITING)
    derive = ingest.Deriver(world.database, doorbells, workshop)
    worker = Replayer(world.database, doorbells, 1, derive)
    assert not await worker.step()
    assert await numbers(world, target) == []

    async with world.database.begin() as tx:
        was = await ledger.position_of(tx, "process", log, 0)
        now_at = ledger.Position(was.next + replayer.MOST_WAITING, past.TODAY)
        await ledger.move(tx, "process", log, 0, was, now_at)
    assert await worker.step()
    await workshop.close()
    assert set(await numbers(world, target)) == {1}


async def test_a_replay_reads_blocks_of_closed_days_and_envelopes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer, "BATCH", 2)
    one, two = await world.a_device("One"), await world.a_device("Two")
    target = await world.a_target()
    await world.a_route(target, device_ids=(one.id,))
    for days_ago in (30, 20, 20, 10, 0):
        day = past.TODAY - days_ago * past.DAY
        texts = [json.dumps({"n": 10 * days_ago + i}) for i in range(3)]
        messages = [past.a_message(d.number, t, day) for t in texts for d in (one, two)]
        await past.put(world.database, day, *messages)
    async with world.database.begin() as tx:
        await past.consume(tx)
    assert await past.seal(world.database) == 24
    now = datetime.now(UTC)

    done = await replay(world, target, now - timedelta(days=25), now)

    # Today's message says noon, which may not have been yet.
    expected = [200, 201, 202, 200, 201, 202, 100, 101, 102]
    assert (await numbers(world, target))[:9] == expected
    assert done.enqueued in (9, 12)


async def test_a_replay_derives_with_the_decoder_as_it_is_now(world: World) -> None:
    device = await world.a_device("One")
    target = await world.a_target()
    await world.a_route(target)
    script = "function decodeUplink(input) { return { data: { n: input.bytes[0] / 10 } }; }"
    decoder = await world.a_decoder(script)
    async with world.database.begin(ROOT) as tx:
        await devices.change(tx, ROOT, device.id, {"decoder_id": decoder.id})
    day = past.TODAY - 9 * past.DAY
    await past.put(world.database, day, past.a_message(device.number, "(", day))
    now = datetime.now(UTC)

    await replay(world, target, now - timedelta(days=10), now)

    assert await numbers(world, target) == [4]


async def test_a_target_removed_while_messages_are_under_way_is_no_trouble(world: World) -> None:
    device = await world.a_device("One")
    kept, removed = await world.a_target(), await world.a_target()
    for target in (kept, removed):
        await world.a_route(target)
    async with world.database.begin(ROOT) as tx:
        # Days are those of the organisation, whatever the time at which this is run.
        today = tx.now.astimezone(await catalogue.zone_of(tx, kept.organization_id)).date()
        await service.remove(tx, ROOT, removed.id)

    # What an intake does that read the routes before.
    async with world.database.begin() as tx:
        await store.count(tx, "sent", {(kept.id, today): 1, (removed.id, today): 1})
        await store.count(tx, "sent", {(removed.id, today): 1})

    await world.derive(a_message(device, {"n": 1}))
    await an_intake(world).step()
    assert await numbers(world, kept) == [1]
    assert (await world.statement(kept)).days[-1].sent == 2


async def test_a_route_that_cannot_be_applied_holds_up_nobody(world: World) -> None:
    first, second = await world.a_device("First"), await world.a_device("Second")
    bad, good = await world.a_target(), await world.a_target()
    route = await world.a_route(
        bad, device_ids=(first.id,), conditions=(Condition("readings.n", Comparison.EXISTS),)
    )
    await world.a_route(good, device_ids=(second.id,))
    async with world.database.begin() as tx:
        broken = json.dumps(
            [{"field": "readings.n", "comparison": Comparison.GREATER, "value": "text"}]
        )
        await tx.execute(
            "UPDATE target_routes SET conditions = CAST(:broken AS jsonb) WHERE id = :id",
            {"broken": broken, "id": route.id},
        )
    await world.derive(*(a_message(first if n in {3, 8} else second, {"n": n}) for n in range(12)))
    running = asyncio.create_task(an_intake(world).run())
    try:
        async with asyncio.timeout(30):
            while len(await numbers(world, good)) < 10:
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
    assert await numbers(world, good) == [n for n in range(12) if n not in {3, 8}]
    letters = await world.letters(bad)
    assert [json.loads(letter.content.document or b"")["n"] for letter in letters] == [8, 3]
    assert {letter.detail for letter in letters} == {"The platform could not send this message on."}
