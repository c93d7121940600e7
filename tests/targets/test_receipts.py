"""Receipts: that one message was accepted or given up, when, and for how long that is known."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

import past
from moorage import ingest, ledger, organizations, targets
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.organizations import Permission
from moorage.targets import Replayer, service, store
from moorage.targets.model import Outcome, Pending, Reason, Result
from moorage.targets.service import deliver
from moorage.targets.service.lines import Lines, Policy, Settled
from targets.api import Api
from targets.servers import Answer, HttpServer, Request
from targets.test_kill import WORKER
from targets.world import (
    ROOT,
    World,
    a_message,
    a_worker,
    a_workshop,
    message_id,
)

NOW = datetime.now(UTC)
ZONE = ZoneInfo("Europe/Copenhagen")


async def receipts(api: Api, target: targets.Target, query: str = "") -> list[dict[str, Any]]:
    """Read all receipts, newest first."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        path = f"/targets/{target.id}/receipts?limit=100{query}{after}"
        page = await api("GET", path, 200)
        found += page["items"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def process(world: World) -> None:
    """Do with what was received as the worker does."""
    workshop = a_workshop(world.database, doorbells := Doorbells(world.database))
    while await ingest.Process(world.database, doorbells, workshop, 0).step():
        pass
    await workshop.close()


async def positions(world: World) -> list[str]:
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT partition, n FROM telemetry_history ORDER BY n")
        return [f"{row.partition}:{row.n}" for row in rows]


async def settled(
    world: World, target: targets.Target, at: datetime, count: int = 1, **others: Any
) -> list[UUID]:
    """Write receipts of a time, in the day's own table; give their keys."""
    device, reason = others.get("device", 1), others.get("reason")
    keys = [uuid7() for _ in range(count)]
    made = []
    for key in keys:
        content = targets.Content(str(others.get("message_id", uuid7())), "", "", "", 0, 0)
        packed = msgspec.msgpack.encode(content)
        row = Pending(1, key, device, key, packed, at, at.date(), 0)
        outcome = Outcome.REFUSED if reason else Outcome.ACCEPTED
        made.append((at, row, 1, reason, Result(outcome, 422 if reason else 200)))
    async with world.database.begin() as tx:
        await ledger.make_day_tables(tx, ["target_receipts"], at.date(), at.date())
        await store.add_receipts(tx, target.id, made)
    return keys


async def count(world: World, *owners: targets.Target) -> list[int]:
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT target_id, count(*) AS n FROM target_receipts GROUP BY 1")
        found = {row.target_id: row.n for row in rows}
    return [found.get(one.id, 0) for one in owners]


# --- Writing --------------------------------------------------------------


async def test_each_delivery_that_ended_has_a_receipt(
    world: World, server: HttpServer, api: Api
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url, max_attempts=2)
    await world.a_route(target)
    answers = {1: 200, 2: 422, 3: 500}
    server.behave = lambda r: Answer(answers[json.loads(r.body)["document"]["n"]])
    messages = [a_message(device, {"n": n}) for n in answers]
    days = {datetime.now(ZONE).date()}
    async with a_worker(world):
        await world.derive(*messages)
        days.add(datetime.now(ZONE).date())
        await world.until_letters(target, 2)
        await world.until_pending(target)

    found = {one["messageId"]: one for one in await receipts(api, target)}

    first, second, third = (found[message_id(m)] for m in messages)
    assert (first["outcome"], first["reason"], first["status"]) == ("accepted", None, 200)
    assert (second["outcome"], second["reason"], second["status"]) == ("dead", "refused", 422)
    assert (third["outcome"], third["reason"], third["attempts"]) == ("dead", "attempts", 2)
    assert first["key"] == server.requests[0].headers["idempotency-key"]
    assert (first["deviceId"], first["deviceName"]) == (str(device.id), "Bin")
    assert {one["day"] for one in found.values()} <= set(map(str, days))
    assert second["detail"]


async def test_a_dead_letter_sent_again_gets_its_later_receipt_too(
    world: World, server: HttpServer, api: Api
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    verdicts = iter([422, 200])
    server.behave = lambda _r: Answer(next(verdicts))
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 1}))
        await world.until_letters(target, 1)
        async with world.database.begin(ROOT) as tx:
            await service.send_again(tx, ROOT, target.id)
        await server.wait_for(2)
        await world.until_pending(target)

    newer, older = await receipts(api, target)

    assert (older["outcome"], newer["outcome"]) == ("dead", "accepted")
    assert older["key"] == newer["key"]
    assert older["at"] < newer["at"]


async def test_what_a_route_cannot_decode_has_a_receipt_at_once(world: World, api: Api) -> None:
    device = await world.a_device("Bin")
    own = await world.a_decoder("function decodeUplink() { throw new Error('no level') }")
    target, silent = await world.a_target(), await world.a_target(receipt_days=0)
    for one in (target, silent):
        await world.a_route(one, decoder_id=own.id)
    async with a_worker(world):
        await world.receive(device, b"\x01")
        await world.until_letters(target, 1)
        await world.until_letters(silent, 1)

    (receipt,) = await receipts(api, target)

    assert (receipt["outcome"], receipt["reason"], receipt["attempts"]) == ("dead", "decoder", 0)
    assert "no level" in receipt["detail"]
    assert await receipts(api, silent) == []


async def test_a_target_may_keep_no_receipts(world: World, server: HttpServer, api: Api) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url, receipt_days=0)
    await world.a_route(target)
    async with a_worker(world):
        await world.derive(a_message(device, {"n": 1}))
        await server.wait_for(1)
        await world.until_pending(target)
        assert await receipts(api, target) == []

        await api("PATCH", f"/targets/{target.id}", 200, json={"receiptDays": 7})
        await world.derive(a_message(device, {"n": 2}))
        await server.wait_for(2)
        await world.until_pending(target)

    assert len(await receipts(api, target)) == 1
    assert (await world.statement(target)).accepted == 2
    async with world.database.begin() as tx:
        query = "SELECT before, after FROM facts WHERE name = 'targets.changed'"
        (fact,) = (await tx.execute(query)).all()
    assert (fact.before, fact.after) == ({"receipt_days": 0}, {"receipt_days": 7})
    for wrong in (-1, 367, "P7D"):
        await api("PATCH", f"/targets/{target.id}", 422, json={"receiptDays": wrong})


async def test_a_worker_killed_before_it_settles_leaves_one_receipt_of_the_repeat(
    world: World, server: HttpServer, api: Api
) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target(server.url)
    await world.a_route(target)
    workers: list[asyncio.subprocess.Process] = []

    def behave(_request: Request) -> Answer:
        # The server has taken the message; whoever sent it never hears of it.
        if len(workers) == 1:
            workers[0].send_signal(signal.SIGKILL)
        return Answer(200)

    server.behave = behave
    await world.derive(a_message(device, {"n": 1}))
    for _ in range(2):
        workers.append(
            await asyncio.create_subprocess_exec(
                sys.executable, str(WORKER), world.database.url,
                env={**os.environ, "PYTHONPATH": str(WORKER.parents[1])},
            )
        )  # fmt: skip
        if len(workers) == 1:
            await workers[0].wait()
            assert await receipts(api, target) == []
    try:
        await server.wait_for(2)
        await world.until_pending(target)
    finally:
        workers[1].send_signal(signal.SIGKILL)
        await workers[1].wait()

    (receipt,) = await receipts(api, target)
    assert {r.headers["idempotency-key"] for r in server.requests} == {receipt["key"]}
    assert (receipt["outcome"], receipt["attempts"]) == ("accepted", 1)


async def test_two_that_settle_the_same_row_leave_one_receipt(world: World) -> None:
    target = await world.a_target()
    packed = msgspec.msgpack.encode(targets.Content(str(uuid7()), "", "", "", 0, 0))
    row = store.outbox.Entry(target.id, uuid7(), 1, uuid7(), packed, NOW, NOW.date())
    async with world.database.begin() as tx:
        await store.lock_outbox(tx)
        await store.enqueue(tx, [row])
    async with world.database.begin() as tx:
        (pending,) = await store.claim(tx, target.id, after=0, limit=10)
    lines = Lines(Policy())
    accepted = Settled(pending, Result(Outcome.ACCEPTED, 200), 1)
    for _ in range(2):
        books = deliver._Books(world.database, target, lines)
        books.add([accepted])
        await books.close()

    assert await count(world, target) == [1]
    assert (await world.statement(target)).accepted == 1


async def test_receipts_add_up_to_the_statement(world: World, server: HttpServer, api: Api) -> None:
    bins = [await world.a_device(f"Bin {n}") for n in range(4)]
    target = await world.a_target(server.url)
    await world.a_route(target)
    mended = False
    server.behave = lambda r: Answer(
        422 if json.loads(r.body)["document"]["n"] % (7 if mended else 5) == 0 else 200
    )
    raws = []
    for n in range(60):
        raw = past.a_message(bins[n % 4].number, json.dumps({"n": n}))
        raw.received_us = int((NOW - timedelta(minutes=5)).timestamp() * 1e6) + n
        raws.append(raw)
    await past.put(world.database, past.TODAY, *raws)
    async with a_worker(world):
        await world.derive(
            *(
                a_message(bins[n % 4], {"n": n}, id=raw.id, received_us=raw.received_us)
                for n, raw in enumerate(raws)
            )
        )
        await world.until_letters(target, 12)
        await world.until_pending(target)
        mended = True
        async with world.database.begin(ROOT) as tx:
            assert await service.send_again(tx, ROOT, target.id) == 12
        await server.wait_for(72)
        await world.until_pending(target)
        await replayed(world, target)
        await world.until_pending(target)

    last = {one["key"]: one for one in reversed(await receipts(api, target))}

    statement = await world.statement(target)
    outcomes = Counter(one["outcome"] for one in last.values())
    assert statement.sent == len(last) == 120
    assert (statement.accepted, statement.dead) == (outcomes["accepted"], outcomes["dead"])
    days = Counter((one["day"], one["outcome"]) for one in last.values())
    for day in statement.days:
        text = str(day.day)
        assert (days[text, "accepted"], days[text, "dead"]) == (day.accepted, day.dead)


async def replayed(world: World, target: targets.Target) -> None:
    """Send the last hour once more."""
    async with world.database.begin(ROOT) as tx:
        await past.consume(tx)
        await service.ask_replay(tx, ROOT, target.id, NOW - timedelta(hours=1), NOW)
    workshop = a_workshop(world.database, doorbells := Doorbells(world.database))
    derive = ingest.Deriver(world.database, doorbells, workshop)
    replayer = Replayer(world.database, doorbells, 1, derive)
    while await replayer.step():
        pass
    await workshop.close()


# --- Reading --------------------------------------------------------------


async def test_a_targets_receipts_are_filtered_and_paged(world: World, api: Api) -> None:
    one, two = await world.a_device("One"), await world.a_device("Two")
    target, other = await world.a_target(), await world.a_target()
    sought = uuid7()
    begin = NOW - timedelta(hours=3)
    for n in range(5):
        at = begin + timedelta(minutes=n)
        await settled(world, target, at, device=one.number)
        await settled(world, target, at, device=two.number, reason=Reason.AGE)
    await settled(world, target, begin - timedelta(days=2), device=one.number, message_id=sought)
    await settled(world, other, begin, device=one.number, reason=Reason.REFUSED)

    assert len(await receipts(api, target)) == 11
    mine = await receipts(api, target, f"&deviceId={two.id}")
    assert [r["reason"] for r in mine] == ["age"] * 5
    assert len(await receipts(api, target, "&outcome=accepted")) == 6
    assert len(await receipts(api, target, "&outcome=dead")) == 5
    assert await receipts(api, target, "&reason=refused") == []
    (found,) = await receipts(api, target, f"&messageId={sought}")
    assert found["deviceName"] == "One"
    start, end = begin + timedelta(minutes=1), begin + timedelta(minutes=3)
    query = f"&from={start:%Y-%m-%dT%H:%M:%S.%fZ}&to={end:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert len(await receipts(api, target, query)) == 4
    pages = []
    after = ""
    for _ in range(4):
        page = await api("GET", f"/targets/{target.id}/receipts?limit=3{after}", 200)
        pages += page["items"]
        after = f"&after={page['next']}"
    assert page["next"] is None
    assert pages == await receipts(api, target)
    wrong = await api("GET", f"/targets/{target.id}/receipts?after=xyz", 422)
    assert wrong["code"] == "cursor_invalid"


async def test_what_is_rare_is_found_over_short_pages(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.receipts, "LOOKED_AT", 10)
    rare, common = await world.a_device("Rare"), await world.a_device("Common")
    target = await world.a_target()
    begin = NOW - timedelta(hours=1)
    for n in range(3):
        await settled(world, target, begin + timedelta(minutes=n), device=rare.number)
        await settled(world, target, begin + timedelta(minutes=n, seconds=1), 20,
                      device=common.number)  # fmt: skip

    first = await api("GET", f"/targets/{target.id}/receipts?deviceId={rare.id}", 200)

    assert (first["items"], bool(first["next"])) == ([], True)
    assert len(await receipts(api, target, f"&deviceId={rare.id}")) == 3
    assert len(await receipts(api, target, f"&deviceId={common.id}")) == 60


async def test_receipts_are_downloaded_oldest_first(world: World, api: Api) -> None:
    device = await world.a_device("=Bin")
    target = await world.a_target()
    for n in range(3):
        await settled(world, target, NOW - timedelta(days=n, hours=1), device=device.number)
    path = f"/api/v1/targets/{target.id}/receipts"

    lines = await api.http.get(path, headers={"accept": "application/x-ndjson"})
    table = await api.http.get(f"{path}?outcome=accepted", headers={"accept": "text/csv"})

    shown = [json.loads(line) for line in lines.text.splitlines()]
    assert shown == list(reversed(await receipts(api, target)))
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["key"] for row in rows] == [one["key"] for one in shown]
    assert rows[0]["deviceName"] == "'=Bin"
    async with world.database.begin() as tx:
        query = "SELECT count(*) FROM facts WHERE name = 'targets.receipts_exported'"
        assert (await tx.execute(query)).scalar_one() == 2


async def test_a_message_tells_what_became_of_it_at_each_target(
    world: World, server: HttpServer, api: Api
) -> None:
    device = await world.a_device("Bin")
    good = await world.a_target(server.url, name="Good")
    bad = await world.a_target(server.url + "/bad", name="Bad")
    paused = await world.a_target(server.url, name="Paused")
    await world.a_target(server.url, name="Without a route")
    await world.a_target(server.url, name="Other devices")
    for one in (good, bad, paused):
        await world.a_route(one)
    async with world.database.begin(ROOT) as tx:
        await targets.pause(tx, ROOT, paused.id, paused=True)
    server.behave = lambda r: Answer(422 if "bad" in r.target else 200)
    await world.receive(device, b'{"n": 1}', b'{"n": 2}', derived=False)
    await process(world)
    first, _second = await positions(world)
    path = f"/devices/{device.id}/messages/{first}/deliveries"

    async def states() -> dict[str, str]:
        items = (await api("GET", path, 200))["items"]
        return {one["targetName"]: one["state"] for one in items}

    assert set((await states()).values()) == {"not_connected"}
    async with a_worker(world):
        await world.until_letters(bad, 2)
        await world.until_pending(good)
        await world.until_pending(paused, 2)
        assert await states() == {
            "Bad": "dead",
            "Good": "accepted",
            "Other devices": "not_connected",
            "Paused": "waiting",
            "Without a route": "not_connected",
        }
        async with world.database.begin(ROOT) as tx:
            await targets.pause(tx, ROOT, bad.id, paused=True)
            await service.send_again(tx, ROOT, bad.id)
        items = {one["targetName"]: one for one in (await api("GET", path, 200))["items"]}
    again = items["Bad"]
    assert (again["state"], len(again["receipts"])) == ("waiting", 1)
    assert again["at"] > again["receipts"][0]["at"]
    assert items["Good"]["at"] == items["Good"]["receipts"][0]["at"]
    assert items["Paused"]["at"] is not None
    await api("PATCH", f"/targets/{good.id}", 200, json={"receiptDays": 0})
    async with world.database.begin() as tx:
        await service.drop_old_receipts(tx)
        await tx.execute("UPDATE targets SET created_at = created_at - interval '1 day'")
    assert (await states())["Good"] == "unknown"


async def test_what_waits_is_found_far_back_in_a_long_queue(world: World) -> None:
    target = await world.a_target()
    packed = msgspec.msgpack.encode(targets.Content(str(uuid7()), "", "", "", 0, 0))
    keys = [uuid7() for _ in range(1_000)]
    async with world.database.begin() as tx:
        await store.lock_outbox(tx)
        await store.enqueue(
            tx,
            [
                store.outbox.Entry(
                    target.id, target.id, 7, key, packed, NOW + timedelta(minutes=n), NOW.date()
                )
                for n, key in enumerate(keys)
            ],
        )
        await tx.execute("DELETE FROM target_outbox WHERE n % 3 = 0")
        left = set((await tx.execute("SELECT key FROM target_outbox")).scalars())
        for n, key in enumerate(keys):
            at = NOW + timedelta(minutes=n)
            found = await store.waiting_since(tx, target.id, 7, [key], at)
            assert found == (at if key in left else None)
            if n % 50 == 0:
                late = await store.waiting_since(tx, target.id, 7, [key], at + timedelta(minutes=1))
                assert late is None
                assert await store.waiting_since(tx, target.id, 8, [key], at) is None


async def test_receipts_stay_within_their_borders(world: World, api: Api) -> None:
    device = await world.a_device("Bin")
    target = await world.a_target()
    await settled(world, target, NOW, device=device.number)
    await world.receive(device, b'{"n": 1}', derived=False)
    await process(world)
    (position,) = await positions(world)
    async with world.database.begin(ROOT) as tx:
        other = await organizations.found(
            tx, ROOT, organizations.NewOrganization(f"Other {uuid7().hex[-6:]}")
        )
    everything = frozenset(Permission)
    path = f"/targets/{target.id}/receipts"
    deliveries = f"/devices/{device.id}/messages/{position}/deliveries"

    api.gate.caller = Caller(CallerKind.PERSON, uuid7(), "stranger", (Grant(everything, other.id),))
    assert (await api("GET", path, 404))["code"] == "targets.unknown"
    assert (await api("GET", deliveries, 404))["code"] == "devices.unknown"
    answer = await api.http.get(f"/api/v1{path}", headers={"accept": "text/csv"})
    assert answer.status_code == 404

    home = world.organization.id
    messages = frozenset({Permission.READ_DEVICES, Permission.READ_MESSAGES})
    api.gate.caller = Caller(CallerKind.PERSON, uuid7(), "reader", (Grant(messages, home),))
    assert (await api("GET", deliveries, 200))["items"] == []
    devices_only = frozenset({Permission.READ_DEVICES})
    api.gate.caller = Caller(CallerKind.PERSON, uuid7(), "reader", (Grant(devices_only, home),))
    await api("GET", deliveries, 403)
    reads = frozenset({Permission.READ_TARGETS})
    api.gate.caller = Caller(CallerKind.PERSON, uuid7(), "reader", (Grant(reads, home),))
    assert len((await api("GET", path, 200))["items"]) == 1
    assert (await api("GET", f"{path}?deviceId={device.id}", 404))["code"] == "devices.unknown"
    await api("PATCH", f"/targets/{target.id}", 403, json={"receiptDays": 1})


# --- How long they are kept -----------------------------------------------


async def test_each_target_keeps_its_days(world: World) -> None:
    week = await world.a_target(receipt_days=7)
    month = await world.a_target(receipt_days=30)
    none = await world.a_target(receipt_days=0)
    gone = await world.a_target()
    ages, now = (0, 1, 7, 8, 30, 31, 40), datetime.now(UTC)
    for age in ages:
        for one in (week, month, none, gone):
            await settled(world, one, now - timedelta(days=age), 3)
    async with world.database.begin(ROOT) as tx:
        await targets.remove(tx, ROOT, gone.id)

    async with world.database.begin() as tx:
        await service.drop_old_receipts(tx)

    assert await count(world, week, month, none, gone) == [9, 15, 0, 0]
    async with world.database.begin() as tx:
        tables = await ledger.day_tables(tx, "target_receipts")
    today = now.date()
    left = {today - timedelta(days=age) for age in ages if age <= 30}
    assert left <= set(tables)
    assert not {today - timedelta(days=age) for age in (31, 40)} & set(tables)
    assert max(tables) == today + timedelta(days=3)
