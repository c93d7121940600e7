"""Routes with a decoder of their own: what the target gets, and what becomes of failures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moorage import decoders, devices, groups, ingest, organizations, targets
from moorage.decoders import service as decoding
from moorage.devices.errors import DecoderStays
from moorage.devices.service import registry
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.kit.pages import PageRequest
from moorage.targets import service
from moorage.targets.model import Comparison, Condition, Content, Sampling, Source
from targets.api import Api
from targets.servers import HttpServer
from targets.world import ROOT, World, a_worker, a_workshop, documents, message_id

WORKER = Path(__file__).with_name("worker_process.py")
# Bytes 0xf0 and up are what no sensor says; 0xff keeps the decoder busy for ever.
OWN = """
function decodeUplink(input) {
  const n = input.bytes[0];
  if (n === 255) for (;;) {}
  if (n === 254) throw new Error("not for a \\0 database");
  if (n >= 240) throw new Error("not a level: " + n);
  if (n === 200) return { data: null };
  return { data: { n: n, port: input.fPort, level: n / 10 } };
}
"""
MENDED = "function decodeUplink(input) { return { data: { n: input.bytes[0], mended: true } }; }"


async def waiting(world: World, target: targets.Target) -> list[Content]:
    """Give what waits for a target, in order."""
    async with world.database.begin() as tx:
        rows = await tx.execute(
            "SELECT content FROM target_outbox WHERE target_id = :id ORDER BY n", {"id": target.id}
        )
        return [msgspec.msgpack.decode(row.content, type=Content) for row in rows]


async def mend(world: World, decoder: decoders.Decoder) -> None:
    """Put another text in force."""
    workshop = a_workshop(world.database, Doorbells(world.database))
    await decoding.change(workshop, ROOT, decoder.id, {"source": MENDED})
    await workshop.close()


async def test_each_route_gets_its_own_form_and_the_readings_are_the_devices(
    world: World,
) -> None:
    device = await world.a_device("Bin")
    own = await world.a_decoder(OWN)
    devices_own = await world.a_decoder(
        "function decodeUplink(input) { return { data: { byte: input.bytes[0] } }; }"
    )
    async with world.database.begin(ROOT) as tx:
        await devices.change(tx, ROOT, device.id, {"decoder_id": devices_own.id})
    plain, raw, ours, twice = [await world.a_target() for _ in range(4)]
    await world.a_route(plain)
    await world.a_route(raw, source=Source.RAW)
    await world.a_route(ours, decoder_id=own.id)
    await world.a_route(twice, decoder_id=own.id)
    await world.receive(device, b"\x15", meta={"port": 7}, derived=False)
    doorbells = Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    deriver = ingest.Deriver(world.database, doorbells, workshop)

    assert await ingest.Process(world.database, doorbells, workshop, 0).step() == 1
    assert await targets.Intake(world.database, doorbells, 0, deriver).step() == 1
    await workshop.close()

    (of_device,) = await waiting(world, plain)
    assert json.loads(of_device.document or b"") == {"byte": 21}
    (as_received,) = await waiting(world, raw)
    assert (as_received.payload, as_received.document) == (b"\x15", None)
    for target in (ours, twice):
        (content,) = await waiting(world, target)
        assert json.loads(content.document or b"") == {"n": 21, "port": 7, "level": 2.1}
        assert [name for name, _value, _unit in content.readings] == ["n", "port", "level"]
        assert (content.device_name, content.payload) == ("Bin", None)
    async with world.database.begin() as tx:
        names = (await tx.execute("SELECT DISTINCT unnest(names) FROM telemetry_shapes")).scalars()
        assert list(names) == ["byte"]


async def test_filters_and_samples_look_at_what_its_own_decoder_gave(world: World) -> None:
    device = await world.a_device("Bin")
    own = await world.a_decoder(OWN)
    high, other, sampled = [await world.a_target() for _ in range(3)]
    above = Condition("readings.level", Comparison.GREATER, 2)
    await world.a_route(high, decoder_id=own.id, conditions=(above,))
    elsewhere = Condition("channel", Comparison.EQUAL, "other")
    await world.a_route(other, decoder_id=own.id, conditions=(elsewhere,))
    await world.a_route(sampled, decoder_id=own.id, sampling=Sampling(every=2))
    # 200 becomes nothing, which is no failure; 240 fails, and takes part in the sampling.
    await world.receive(device, b"\x0a", b"\x1e", b"\xc8", b"\xf0", b"\x28", b"\x32")
    doorbells = Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    deriver = ingest.Deriver(world.database, doorbells, workshop)
    await targets.Intake(world.database, doorbells, 0, deriver).step()
    await workshop.close()

    async def numbers(target: targets.Target) -> list[int]:
        contents = await waiting(world, target)
        return [json.loads(c.document or b"")["n"] for c in contents]

    assert await numbers(high) == [30, 40, 50]
    assert await numbers(other) == []
    assert await world.letters(other) == []
    assert await numbers(sampled) == [10, 50]
    assert [letter.content.payload for letter in await world.letters(sampled)] == [b"\xf0"]


async def test_what_fails_is_a_dead_letter_stops_nobody_and_goes_once_the_decoder_is_mended(
    world: World, server: HttpServer
) -> None:
    device, other = await world.a_device("Bin"), await world.a_device("Lamp")
    own = await world.a_decoder(OWN)
    target, neighbour = await world.a_target(server.url), await world.a_target(server.url)
    await world.a_route(target, decoder_id=own.id)
    await world.a_route(neighbour, source=Source.RAW, device_ids=(other.id,))
    async with a_worker(world):
        sent = await world.receive(
            device, b"\x01", b"\xf1", b"\xff", b"\xfe", b"\x02", meta={"port": 3}
        )
        await world.receive(other, b"\x03")
        await server.wait_for(4)
        await world.until_pending(target)
        letters = {letter.content.message_id: letter for letter in await world.letters(target)}
        statement = await world.statement(target)
        assert (statement.sent, statement.accepted, statement.dead) == (6, 3, 3)
        thrown, endless, odd = (letters[message_id(sent[i])] for i in (1, 2, 3))
        assert (thrown.reason, thrown.content.payload) == ("decoder", b"\xf1")
        assert "not a level: 241" in thrown.detail
        assert "took longer" in endless.detail
        assert "database" in odd.detail
        async with world.database.begin(ROOT) as tx:
            log = await service.log_of(tx, ROOT, target.id, PageRequest(), failures=True)
            problems = await decoding.list_problems(tx, ROOT, own.id, PageRequest())
        assert {entry.detail for entry in log.items} == {one.detail for one in letters.values()}
        assert [(p.device_name, p.count) for p in problems.items] == [("Bin", 3)]
        assert (await world.get(target)).health.state == "ok"

        # Still broken: they come back, and nothing is counted twice.
        async with world.database.begin(ROOT) as tx:
            assert await service.send_again(tx, ROOT, target.id) == 3
        await world.until_letters(target, 3)
        statement = await world.statement(target)
        assert (statement.sent, statement.accepted, statement.dead) == (6, 3, 3)

        await mend(world, own)
        async with world.database.begin(ROOT) as tx:
            assert await service.send_again(tx, ROOT, target.id) == 3
        await server.wait_for(7)
        await world.until_pending(target)
    last = server.requests[-3:]
    assert {d["n"] for d in map(document_of, last)} == {0xF1, 0xFE, 0xFF}
    assert all(document_of(request)["mended"] for request in last)
    assert {r.headers["idempotency-key"] for r in last} == {
        str(one.key) for one in letters.values()
    }
    statement = await world.statement(target)
    assert (statement.sent, statement.accepted, statement.dead) == (6, 6, 0)


def document_of(request: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(request.body)["document"]
    return found


async def test_a_dead_letter_goes_with_the_document_that_a_person_gave_it(
    world: World, server: HttpServer
) -> None:
    device = await world.a_device("Bin")
    own = await world.a_decoder(OWN)
    target = await world.a_target(server.url)
    route = await world.a_route(target, decoder_id=own.id)
    async with a_worker(world):
        await world.receive(device, b"\xf1", b"\xf2", b"\xf3")
        await world.until_letters(target, 3)
        letters = sorted(await world.letters(target), key=lambda one: one.content.payload)
        async with world.database.begin(ROOT) as tx:
            edits = ({"document": b'{"n":1}'}, {"payload": b"\x02"})
            for letter, edit in zip(letters, edits, strict=False):
                await service.edit_letter(tx, ROOT, target.id, letter.id, edit)
                await service.send_again(tx, ROOT, target.id, letter.id)
        await server.wait_for(2)
        assert sorted(documents(server.requests)) == [1, 2]

        # A route that has lost its decoder says so, and keeps what it cannot send.
        async with world.database.begin(ROOT) as tx:
            await service.change_route(tx, ROOT, route.id, {"decoder_id": None})
            await service.send_again(tx, ROOT, target.id, letters[2].id)

        async def told() -> bool:
            return any("no decoder" in letter.detail for letter in await world.letters(target))

        await world.until(told)


async def test_a_replay_decodes_with_the_routes_decoder_as_it_is_now(world: World) -> None:
    device = await world.a_device("Bin")
    own = await world.a_decoder(OWN)
    target = await world.a_target()
    await world.a_route(target, decoder_id=own.id)
    # The device itself has no decoder, and nothing it sends has a document.
    await world.receive(device, b"\xf1", b"\x05", received_us=time.time_ns() // 1000 - 60_000_000)
    now = datetime.now(UTC)
    for expected in ([5], [5, 241, 5]):
        async with world.database.begin(ROOT) as tx:
            await service.ask_replay(tx, ROOT, target.id, now - timedelta(minutes=5), now)
        doorbells = Doorbells(world.database)
        workshop = a_workshop(world.database, doorbells)
        deriver = ingest.Deriver(world.database, doorbells, workshop)
        replayer = targets.Replayer(world.database, doorbells, 1, deriver)
        while await replayer.step():
            pass
        await workshop.close()
        contents = await waiting(world, target)
        assert [json.loads(c.document or b"")["n"] for c in contents] == expected
        await mend(world, own)
    assert [letter.reason for letter in await world.letters(target)] == ["decoder"]
    assert (await world.statement(target)).sent == 4


async def test_a_killed_worker_neither_loses_nor_doubles(world: World, server: HttpServer) -> None:
    bins = [await world.a_device(f"Bin {n}") for n in range(4)]
    own = await world.a_decoder(OWN)
    target = await world.a_target(server.url)
    await world.a_route(target, decoder_id=own.id)
    # Of 64 messages a round, 4 are ones that the decoder throws at.
    rounds, payloads = 3, [bytes([n]) for n in (*range(60), 240, 241, 242, 243)]
    for kill in range(rounds):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, str(WORKER), world.database.url,
            env={**os.environ, "PYTHONPATH": str(WORKER.parents[1])},
        )  # fmt: skip
        try:
            for index, device in enumerate(bins):
                await world.receive(device, *payloads[index::4])
            if kill < rounds - 1:
                await server.wait_for(len(server.requests) + 20, 60)
            else:
                # All is taken in once the last letter is there.
                await world.until_letters(target, 4 * rounds)
                await world.until_pending(target)
        finally:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
    keys: dict[str, set[int]] = {}
    for request in server.requests:
        key = request.headers["idempotency-key"]
        keys.setdefault(key, set()).add(document_of(request)["n"])
    assert len(keys) == 60 * rounds
    assert all(len(numbers) == 1 for numbers in keys.values())
    letters = await world.letters(target)
    assert len({letter.key for letter in letters}) == len(letters) == 4 * rounds
    statement = await world.statement(target)
    total = len(payloads) * rounds
    assert (statement.sent, statement.accepted, statement.dead) == (total, 60 * rounds, 4 * rounds)


async def test_a_test_sends_a_stored_message_as_its_route_does(
    world: World, server: HttpServer, api: Api
) -> None:
    device = await world.a_device("Bin", "wet")
    own = await world.a_decoder(OWN)
    target, elsewhere = await world.a_target(server.url), await world.a_target(server.url)
    await world.a_route(target, decoder_id=own.id, tags=("dry",))
    first = await world.a_route(target, decoder_id=own.id, tags=("wet",))
    raw = await world.a_route(target, source=Source.RAW)
    foreign = await world.a_route(elsewhere)
    await world.receive(device, b"\x07", derived=False)
    await process(world)
    path, body = f"/targets/{target.id}/test", {"deviceId": str(device.id)}

    trial = await api("POST", path, 200, json=body)
    assert trial["result"]["outcome"] == "accepted"
    assert document_of(server.requests[-1])["level"] == 0.7
    await api("POST", path, 200, json={**body, "routeId": str(raw.id)})
    assert server.requests[-1].body == b"\x07"
    unknown = await api("POST", path, 404, json={**body, "routeId": str(foreign.id)})
    assert unknown["code"] == "targets.route_unknown"

    await world.receive(device, b"\xf5", derived=False)
    await process(world)
    failed = await api("POST", path, 422, json={**body, "routeId": str(first.id)})
    assert failed["code"] == "decoders.decode_failed"
    assert "not a level: 245" in failed["detail"]
    assert len(server.requests) == 2


async def process(world: World) -> None:
    doorbells = Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    while await ingest.Process(world.database, doorbells, workshop, 0).step():
        pass
    await workshop.close()


async def test_a_route_takes_only_decoders_that_its_organization_may_use(
    world: World, api: Api
) -> None:
    async with world.database.begin(ROOT) as tx:
        new = organizations.NewOrganization(f"Other {uuid7().hex[-6:]}")
        other = await organizations.found(tx, ROOT, new)
    own = await world.a_decoder(OWN)
    theirs = await world.a_decoder(OWN, organization_id=other.id)
    shared = await world.a_decoder(OWN, organization_id=other.id, shared=True)
    target = await world.a_target()
    body = {"targetId": str(target.id), "name": "Own"}
    for decoder_id in (theirs.id, uuid7()):
        refused = await api("POST", "/routes", 404, json={**body, "decoderId": str(decoder_id)})
        assert refused["code"] == "decoders.unknown"
    refused = await api(
        "POST", "/routes", 422, json={**body, "decoderId": str(own.id), "source": "raw"}
    )
    assert refused["errors"][0]["pointer"] == "/decoderId"

    made = await api("POST", "/routes", 201, json={**body, "decoderId": str(own.id)})
    path = f"/routes/{made['id']}"
    assert (await api("GET", path, 200))["decoderId"] == str(own.id)
    await api("PATCH", path, 404, json={"decoderId": str(theirs.id)})
    await api("PATCH", path, 422, json={"source": "raw"})
    raw = await api("PATCH", path, 200, json={"source": "raw", "decoderId": None})
    assert (raw["source"], raw["decoderId"]) == ("raw", None)
    patch = {"source": "document", "decoderId": str(shared.id)}
    assert (await api("PATCH", path, 200, json=patch))["decoderId"] == str(shared.id)
    async with world.database.begin() as tx:
        facts = await tx.execute("SELECT after FROM facts WHERE name LIKE 'targets.route%'"
                                 " ORDER BY at, id")  # fmt: skip
        told = [row.after["decoder_id"] for row in facts if "decoder_id" in row.after]
    assert told == [str(own.id), None, str(shared.id)]


async def test_a_decoder_that_a_route_uses_stays_shared_and_at_hand(world: World) -> None:
    async with world.database.begin(ROOT) as tx:
        new = organizations.NewOrganization(f"Other {uuid7().hex[-6:]}")
        other = await organizations.found(tx, ROOT, new)
    own = await world.a_decoder(OWN)
    shared = await world.a_decoder(OWN, organization_id=other.id, shared=True)
    target = await world.a_target()
    route = await world.a_route(target, decoder_id=own.id)
    await world.a_route(target, decoder_id=shared.id)
    workshop = a_workshop(world.database, Doorbells(world.database))
    with pytest.raises(decoders.DecoderInUse, match="1 routes of other organizations"):
        await decoding.change(workshop, ROOT, shared.id, {"shared": False})
    async with world.database.begin(ROOT) as tx:
        for decoder in (own, shared):
            with pytest.raises(decoders.DecoderInUse, match="1 routes"):
                await decoders.remove(tx, ROOT, decoder.id)
        with pytest.raises(DecoderStays):
            await registry.move_application(tx, ROOT, world.application.id, other.id)
        await service.change_route(tx, ROOT, route.id, {"decoder_id": None})
        await decoders.remove(tx, ROOT, own.id)
        moved = await registry.move_application(tx, ROOT, world.application.id, other.id)
        assert isinstance(moved, groups.Application)
        (of_shared,) = (
            await targets.list_routes(tx, ROOT, PageRequest(limit=1, sort="-createdAt"))
        ).items
        assert of_shared.organization_id == other.id
