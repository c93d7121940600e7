"""From the derived log to a real server: order, keys, trouble, giving up, the statement."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from moorage import notifications
from moorage.kit.pages import PageRequest
from moorage.notifications import Notice, NoticeFilter, NoticeState
from moorage.targets import Target, service
from moorage.targets.model import Delivery, HealthState, Outcome, Reason, Result, Source
from moorage.targets.service.catalogue import Kinds
from moorage.targets.service.expand import key_of
from ports import free_port
from targets.servers import Answer, HttpServer, Request, http_server
from targets.world import ROOT, World, a_message, a_worker, documents, message_id


async def test_messages_arrive_in_order_with_their_keys(world: World, server: HttpServer) -> None:
    bins = [await world.a_device(f"Bin {n}") for n in range(3)]
    target = await world.a_target(server.url)
    route = await world.a_route(target)
    messages = [a_message(bins[n % 3], {"n": n}) for n in range(60)]
    async with a_worker(world):
        await world.derive(*messages)
        requests = await server.wait_for(60)
        await world.until_pending(target)
    for index in range(3):
        mine = [n for n in documents(requests) if n % 3 == index]
        assert mine == sorted(mine)
        assert len(mine) == 20
    keys = {r.headers["idempotency-key"] for r in requests}
    assert keys == {str(key_of(route.id, message_id(m))) for m in messages}
    body = json.loads(requests[0].body)
    assert body["device"]["name"].startswith("Bin ")
    assert body["applicationId"] == str(world.application.id)
    statement = await world.statement(target)
    assert (statement.sent, statement.accepted, statement.dead, statement.pending) == (60, 60, 0, 0)
    assert (await world.get(target)).health.state is HealthState.OK


async def test_a_failed_message_holds_up_its_device_only_and_comes_again_under_its_key(
    world: World, server: HttpServer
) -> None:
    first, second = await world.a_device("First"), await world.a_device("Second")
    target = await world.a_target(server.url)
    await world.a_route(target)
    failures = iter([True, True])

    def behave(request: Request) -> Answer:
        number = json.loads(request.body)["document"]["n"]
        return Answer(500 if number == 0 and next(failures, False) else 200)

    server.behave = behave
    async with a_worker(world):
        await world.derive(
            *(a_message(first, {"n": n}) for n in range(5)),
            *(a_message(second, {"n": n}) for n in range(10, 15)),
        )
        requests = await server.wait_for(12)
        await world.until_pending(target)
    seen = documents(requests)
    assert [n for n in seen if n < 10] == [0, 0, 0, 1, 2, 3, 4]
    assert [n for n in seen if n >= 10] == [10, 11, 12, 13, 14]
    assert seen.index(14) < seen.index(1), "The other device did not wait."
    repeated = [r for r in requests if json.loads(r.body)["document"]["n"] == 0]
    assert len({r.headers["idempotency-key"] for r in repeated}) == 1


async def test_what_is_refused_is_set_aside_edited_and_sent_again(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    server.behave = lambda r: Answer(
        200 if json.loads(r.body)["document"].get("unit") else 422, b"unit is missing"
    )
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 1}), a_message(device, {"n": 2, "unit": "C"}))
        await server.wait_for(2)
        await world.until_pending(target)
        (letter,) = await world.letters(target)
        assert (letter.reason, letter.status, letter.answer) == (
            Reason.REFUSED, 422, "unit is missing",
        )  # fmt: skip
        statement = await world.statement(target)
        assert (statement.sent, statement.accepted, statement.dead) == (2, 1, 1)
        async with world.database.begin(ROOT) as tx:
            changes = {"document": b'{"n":1,"unit":"C"}'}
            await service.edit_letter(tx, ROOT, target.id, letter.id, changes)
            assert await service.send_again(tx, ROOT, target.id, letter.id) == 1
        requests = await server.wait_for(3)
        await world.until_pending(target)
    assert documents(requests) == [1, 2, 1]
    assert requests[0].headers["idempotency-key"] == requests[2].headers["idempotency-key"]
    assert await world.letters(target) == []
    statement = await world.statement(target)
    assert (statement.sent, statement.accepted, statement.dead) == (2, 2, 0)


async def test_what_fails_again_and_again_is_set_aside_after_its_attempts(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url, max_attempts=2)
    await world.a_route(target)
    server.behave = lambda r: Answer(500 if json.loads(r.body)["document"]["n"] == 1 else 200)
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 1}), a_message(device, {"n": 2}))
        requests = await server.wait_for(3)
        await world.until_pending(target)
    assert documents(requests) == [1, 1, 2]
    (letter,) = await world.letters(target)
    assert (letter.reason, letter.status) == (Reason.ATTEMPTS, 500)
    async with world.database.begin(ROOT) as tx:
        assert await service.discard(tx, ROOT, target.id) == 1
    statement = await world.statement(target)
    assert (statement.sent, statement.accepted, statement.dead) == (2, 1, 1)
    assert statement.discarded == 1


async def test_what_no_header_can_carry_is_left_out_not_the_message(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target, source=Source.RAW)
    async with a_worker(world):
        for said in "日本/x", "text/plain\r\nX-Evil: 1", "text/plain; charset=utf-8":
            await world.receive(device, b"payload", content_type=said)
        requests = await server.wait_for(3)
    types = [request.headers["content-type"] for request in requests]
    assert types == ["application/octet-stream"] * 2 + ["text/plain; charset=utf-8"]
    assert [request.body for request in requests] == [b"payload"] * 3


class Faulty:
    """A kind of target, by somebody else, that cannot cope with some messages."""

    api_version, title, batch = 1, "Faulty", 1
    schema: Mapping[str, Any] = {}
    secrets: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.sent: list[int] = []

    def check(self, settings: Mapping[str, Any], secrets: frozenset[str]) -> None:
        """Take any."""

    async def open(self, *_: object) -> Faulty:
        return self

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Result]:
        (delivery,) = batch
        n = json.loads(delivery.content.document or b"")["n"]
        if n == 1:
            raise KeyError(f"a word it \0 does not know: {n}")
        self.sent.append(n)
        return [Result(Outcome.ACCEPTED)]

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_sender_that_breaks_is_seen_in_health_log_and_dead_letters(
    world: World, server: HttpServer
) -> None:
    faulty = Faulty()
    first, second = await world.a_device("First"), await world.a_device("Second")
    target = await world.a_target(server.url, max_attempts=2)
    await world.a_route(target)
    async with world.database.begin(ROOT) as tx:
        await tx.execute("UPDATE targets SET kind = 'faulty'")
    async with a_worker(world, Kinds({"faulty": faulty})):
        await world.derive(
            a_message(first, {"n": 1}), a_message(second, {"n": 2}), a_message(first, {"n": 3})
        )
        async with asyncio.timeout(30):
            while len(faulty.sent) < 2:
                await asyncio.sleep(0.05)
        await world.until_pending(target)
    assert faulty.sent == [2, 3]
    (letter,) = await world.letters(target)
    assert letter.reason is Reason.ATTEMPTS
    assert "KeyError" in (letter.detail or "")
    assert "KeyError" in ((await world.get(target)).health.error or "")


async def test_a_dead_target_delays_no_other(world: World, server: HttpServer) -> None:
    device = await world.a_device("Bin")
    dead = await world.a_target(f"http://127.0.0.1:{free_port()}/")
    alive = await world.a_target(server.url)
    async with http_server() as slow_server:
        slow_server.behave = lambda _r: Answer(after_s=60)
        slow = await world.a_target(slow_server.url)
        for target in (dead, slow, alive):
            await world.a_route(target)
        async with a_worker(world):
            await world.derive(*(a_message(device, {"n": n}) for n in range(100)))
            await server.wait_for(100)
            await world.until_pending(alive)
            assert (await world.get(dead)).pending == 100

            async def failing() -> bool:
                health = (await world.get(dead)).health
                return health.state in (HealthState.FAILING, HealthState.OPEN)

            await world.until(failing)
            assert "No connection to" in (await world.get(dead)).health.error
            async with world.database.begin(ROOT) as tx:
                await service.pause(tx, ROOT, slow.id, paused=True)
                await service.remove(tx, ROOT, slow.id)


async def test_a_target_that_does_not_answer_is_told_of_until_it_does(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    server.behave = lambda _r: Answer(503)
    listed = functools.partial(notices, world, target)
    async with a_worker(world):
        await world.derive(*(a_message(device, {"n": n}) for n in range(10)))
        await world.until(listed)
        (notice,) = await listed()
        assert (notice.subject_name, notice.state) == (target.name, NoticeState.OPEN)
        assert "503" in notice.detail["error"]
        server.behave = lambda _r: Answer(200)
        await world.until_pending(target)

        async def cleared() -> bool:
            return (await listed())[0].state is NoticeState.CLEARED

        await world.until(cleared)


async def test_nothing_is_told_any_more_of_a_target_that_is_paused_or_removed(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    server.behave = lambda _r: Answer(503)
    async with a_worker(world):
        await world.derive(*(a_message(device, {"n": n}) for n in range(10)))
        await world.until(functools.partial(notices, world, target))
    await _paused(world, target, True)
    assert [one.state for one in await notices(world, target)] == [NoticeState.CLEARED]


async def notices(world: World, target: Target) -> list[Notice]:
    """List the notices about a target."""
    wanted = NoticeFilter(subject_id=target.id)
    async with world.database.begin(ROOT) as tx:
        return (await notifications.list_notices(tx, ROOT, PageRequest(), wanted)).items


async def test_a_paused_target_keeps_what_arrives(world: World, server: HttpServer) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    async with a_worker(world):
        await _paused(world, target, True)
        await world.derive(*(a_message(device, {"n": n}) for n in range(3)))
        await world.until_pending(target, 3)
        assert server.requests == []
        await _paused(world, target, False)
        assert documents(await server.wait_for(3)) == [0, 1, 2]
        await world.until_pending(target)
        await _paused(world, target, True)
        await asyncio.sleep(0.1)
        await world.derive(a_message(device, {"n": 4}))
        await world.until_pending(target, 1)
    assert len(server.requests) == 3


async def _paused(world: World, target: Target, paused: bool) -> None:
    async with world.database.begin(ROOT) as tx:
        await service.pause(tx, ROOT, target.id, paused=paused)


async def test_changed_settings_act_on_the_next_message(world: World, server: HttpServer) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(f"{server.url}/old")
    await world.a_route(target)
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 1}))
        await server.wait_for(1)
        async with world.database.begin(ROOT) as tx:
            changes = {"settings": {"url": f"{server.url}/new"}}
            from targets.world import KINDS

            await service.change(tx, ROOT, target.id, changes, KINDS, world.sealer)

        async def arrived_at_the_new_place() -> bool:
            await world.derive(a_message(device, {"n": 2}))
            await asyncio.sleep(0.05)
            return any(r.target == "/new" for r in server.requests)

        await world.until(arrived_at_the_new_place)


async def test_what_is_too_old_is_set_aside(world: World) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(f"http://127.0.0.1:{free_port()}/", max_age_s=60)
    await world.a_route(target)
    await world.derive(*(a_message(device, {"n": n}) for n in range(5)))
    async with a_worker(world) as intake:
        await world.until_pending(target, 5)
        async with world.database.begin() as tx:
            await tx.execute("UPDATE target_outbox SET enqueued_at = now() - interval '61 s'")
        assert intake is not None
    async with a_worker(world):
        await world.until_pending(target)
    assert {letter.reason for letter in await world.letters(target)} == {Reason.AGE}
    statement = await world.statement(target)
    assert (statement.sent, statement.accepted, statement.dead) == (5, 0, 5)


async def test_the_log_shows_failures_and_a_sample_of_successes(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    server.behave = lambda r: Answer(400 if json.loads(r.body)["document"]["n"] == 1 else 200)
    async with a_worker(world):
        await world.derive(*(a_message(device, {"n": n}) for n in range(40)))
        await server.wait_for(40)
        await world.until_pending(target)
    async with world.database.begin(ROOT) as tx:
        log = (await service.log_of(tx, ROOT, target.id, PageRequest(limit=500))).items
        bad = await service.log_of(tx, ROOT, target.id, PageRequest(), failures=True)
    assert [entry.status for entry in bad.items] == [400]
    assert 1 < len(log) < 40
    accepted = next(entry for entry in log if entry.outcome is Outcome.ACCEPTED)
    assert accepted.device_id == device.id
    assert accepted.latency_ms > 0


async def test_two_workers_share_targets_and_deliver_nothing_twice(
    world: World, server: HttpServer
) -> None:
    bins = [await world.a_device(f"Bin {n}") for n in range(4)]
    made = [await world.a_target(f"{server.url}/{n}") for n in range(4)]
    for target in made:
        await world.a_route(target)
    async with a_worker(world), a_worker(world):
        for start in range(0, 100, 20):
            await world.derive(
                *(a_message(bins[n % 4], {"n": n}) for n in range(start, start + 20))
            )
        await server.wait_for(400)
        for target in made:
            await world.until_pending(target)
    assert len(server.requests) == 400
    for target in range(4):
        for index in range(4):
            mine = [r for r in server.requests if r.target == f"/{target}"]
            order = [n for n in documents(mine) if n % 4 == index]
            assert order == sorted(order)


async def test_a_message_is_called_out_soon_after_it_was_derived(
    world: World, server: HttpServer
) -> None:
    """Not a measurement: it must not wait for a clock that ticks by the second."""
    device = await world.a_device("Bin")
    await world.a_route(await world.a_target(server.url))
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 0}))
        await server.wait_for(1)
        began = time.monotonic()
        for n in range(1, 21):
            await world.derive(a_message(device, {"n": n}))
            await server.wait_for(n + 1)
    assert time.monotonic() - began < 20
