"""The rules of decoders that people keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from decoder_desk import (
    AT,
    HUNDREDTHS,
    ROOT,
    TENTHS,
    a_decoder,
    administrator,
    facts,
    found,
    opened,
    reader,
)
from moorage import decoders, devices, groups, notifications
from moorage.decoders import (
    Attempt,
    DecodeContext,
    Decoded,
    DecodeFailure,
    Decoder,
    DecoderInUse,
    DecoderUnknown,
    Direction,
    EncodeContext,
    Encoded,
    Problem,
    ScriptInvalid,
    TestCase,
    Workshop,
    service,
)
from moorage.decoders.errors import (
    DecoderNameTaken,
    ScriptNotWanted,
    TestCasesFailed,
    TrialsTooMany,
    VersionUnknown,
)
from moorage.decoders.service.turns import Turns
from moorage.kit.caller import Caller
from moorage.kit.pages import PageRequest
from moorage.notifications import NoticeState
from moorage.organizations import OrganizationUnknown, PermissionMissing

ALL = PageRequest()
CASE = TestCase(
    "spring day",
    Direction.DECODE,
    {"bytes": "00e72d", "fPort": 1},
    {"data": {"temperature": 23.1, "humidity": 45}},
)


@pytest.fixture
async def workshop(database_url: str) -> AsyncIterator[Workshop]:
    async with opened(database_url) as workshop:
        yield workshop


async def a_device(workshop: Workshop, org: UUID, decoder: Decoder, name: str) -> int:
    async with workshop.database.begin(ROOT) as tx:
        application = await groups.make(tx, ROOT, groups.NewApplication(org, f"For {name}"))
        new = devices.NewDevice(application.id, name, decoder_id=decoder.id)
        return (await devices.enrol(tx, ROOT, new)).number


async def names(workshop: Workshop, caller: Caller) -> list[str]:
    async with workshop.database.begin(caller) as tx:
        return [d.name for d in (await service.list_decoders(tx, caller, ALL)).items]


async def test_a_decoder_is_kept_with_its_first_version_and_announced_by_its_hash(
    workshop: Workshop,
) -> None:
    org = await found(workshop.database, "Aarhus")
    admin = administrator(org)

    made = await decoders.make(workshop, admin, a_decoder(org, test_cases=(CASE,)))

    async with workshop.database.begin(admin) as tx:
        seen = await service.look(tx, admin, made.id)
        assert (seen.script, seen.version, seen.hash) == (TENTHS, 1, made.hash)
        assert await service.cases_of(tx, admin, made.id) == (CASE,)
        (fact,) = await facts(tx, "decoders.made")
    assert fact.after["hash"] == made.hash
    assert "decodeUplink" not in str(fact.after)


async def test_names_are_unique_in_an_organization_whatever_their_case(
    workshop: Workshop,
) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    await decoders.make(workshop, ROOT, a_decoder(org, "Meter"))
    await decoders.make(workshop, ROOT, a_decoder(other, "Meter"))
    second = await decoders.make(workshop, ROOT, a_decoder(org, "Second"))

    with pytest.raises(DecoderNameTaken):
        await decoders.make(workshop, ROOT, a_decoder(org, "mETER"))
    with pytest.raises(DecoderNameTaken):
        await service.change(workshop, ROOT, second.id, {"name": "METER"})


async def test_a_script_must_load_and_offer_a_function(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")

    for source in ("function decodeUplink( {", "var x = 1;", "", "while (true) {}"):
        with pytest.raises(ScriptInvalid):
            await decoders.make(workshop, ROOT, a_decoder(org, source=source))
    with pytest.raises(ScriptNotWanted):
        await decoders.make(workshop, ROOT, a_decoder(org, kind="cayenne-lpp"))

    assert await names(workshop, ROOT) == []


async def test_a_script_that_fails_its_cases_is_saved_by_force_only(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    made = await decoders.make(workshop, ROOT, a_decoder(org, test_cases=(CASE,)))

    with pytest.raises(TestCasesFailed) as refused:
        await service.change(workshop, ROOT, made.id, {"source": HUNDREDTHS})
    forced = await service.change(workshop, ROOT, made.id, {"source": HUNDREDTHS}, force=True)

    assert refused.value.public["failures"] == [
        {"name": "spring day", "difference": "data.temperature: expected 23.1, got 2.31"}
    ]
    assert forced.version == 2
    results = await service.run_cases(workshop, ROOT, made.id)
    assert [r.passed for r in results] == [False]


async def test_the_same_text_is_the_same_version(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    made = await decoders.make(workshop, ROOT, a_decoder(org))

    same = await service.change(workshop, ROOT, made.id, {"source": TENTHS, "name": made.name})
    second = await service.change(workshop, ROOT, made.id, {"source": HUNDREDTHS})
    back = await service.change(workshop, ROOT, made.id, {"source": TENTHS})

    assert same == made
    assert (second.version, back.version, back.hash) == (2, 1, made.hash)
    async with workshop.database.begin(ROOT) as tx:
        versions = (await service.list_versions(tx, ROOT, made.id, ALL)).items
        changed = await facts(tx, "decoders.changed")
    assert [(v.n, v.current) for v in versions] == [(2, False), (1, True)]
    assert [f.after["version"] for f in changed] == [2, 1]
    assert changed[0].before["hash"] == made.hash


async def test_an_older_version_comes_into_force_again(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    made = await decoders.make(workshop, ROOT, a_decoder(org))
    await service.change(workshop, ROOT, made.id, {"source": HUNDREDTHS})

    async with workshop.database.begin(ROOT) as tx:
        restored = await service.restore(tx, ROOT, made.id, 1)
        second = await service.get_version(tx, ROOT, made.id, 2)
        with pytest.raises(VersionUnknown):
            await service.restore(tx, ROOT, made.id, 3)

    assert (restored.version, restored.hash) == (1, made.hash)
    assert second.script == HUNDREDTHS


async def test_two_people_cannot_overwrite_each_other(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    made = await decoders.make(workshop, ROOT, a_decoder(org))
    first = await service.change(workshop, ROOT, made.id, {"name": "First"})
    seen: list[object] = []

    await service.change(workshop, ROOT, made.id, {"name": "Second"}, match=seen.append)

    assert set(seen) == {first.updated_at}


async def test_a_shared_decoder_is_seen_and_copied_by_all_and_changed_by_its_owner_only(
    workshop: Workshop,
) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    owner, neighbour = administrator(org), administrator(other)
    shared = await decoders.make(
        workshop, owner, a_decoder(org, "Shared", shared=True, test_cases=(CASE,))
    )
    private = await decoders.make(workshop, owner, a_decoder(org, "Private"))

    assert await names(workshop, neighbour) == ["Shared"]
    assert await names(workshop, owner) == ["Private", "Shared"]
    with pytest.raises(PermissionMissing):
        await service.change(workshop, neighbour, shared.id, {"name": "Mine"})
    with pytest.raises(DecoderUnknown):
        await service.change(workshop, neighbour, private.id, {"name": "Mine"})
    async with workshop.database.begin(neighbour) as tx:
        with pytest.raises(DecoderUnknown):
            await service.copy(tx, neighbour, private.id, other)
        with pytest.raises(OrganizationUnknown):
            await service.copy(tx, neighbour, shared.id, org)
        copied = await service.copy(tx, neighbour, shared.id, other)
        assert await service.cases_of(tx, neighbour, copied.id) == (CASE,)
        assert (await decoders.hold_usable(tx, other, shared.id)).id == shared.id
        with pytest.raises(DecoderUnknown):
            await decoders.hold_usable(tx, other, private.id)
    assert (copied.organization_id, copied.hash, copied.shared) == (other, shared.hash, False)


async def test_a_reader_reads_and_changes_nothing(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    made = await decoders.make(workshop, ROOT, a_decoder(org))
    somebody = reader(org)

    with pytest.raises(PermissionMissing):
        await decoders.make(workshop, somebody, a_decoder(org, "Other"))
    async with workshop.database.begin(somebody) as tx:
        assert (await service.look(tx, somebody, made.id)).script == TENTHS
        with pytest.raises(PermissionMissing):
            await service.set_cases(tx, somebody, made.id, [])
        with pytest.raises(PermissionMissing):
            await service.restore(tx, somebody, made.id, 1)
        with pytest.raises(PermissionMissing):
            await service.remove(tx, somebody, made.id)
    with pytest.raises(PermissionMissing):
        await decoders.try_out(
            workshop, somebody, Attempt(source=TENTHS), [DecodeContext(b"\0\0\0", AT)]
        )


async def test_a_decoder_in_use_stays_and_stays_shared(workshop: Workshop) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    shared = await decoders.make(workshop, ROOT, a_decoder(org, shared=True))
    number = await a_device(workshop, other, shared, "Meter 1")

    with pytest.raises(DecoderInUse, match="1 devices of other organizations"):
        await service.change(workshop, ROOT, shared.id, {"shared": False})
    async with workshop.database.begin(ROOT) as tx:
        with pytest.raises(DecoderInUse):
            await service.remove(tx, ROOT, shared.id)
        (device_id,) = (
            await tx.execute("SELECT id FROM devices WHERE number = :n", {"n": number})
        ).scalars()
        await devices.remove(tx, ROOT, device_id)
        await service.remove(tx, ROOT, shared.id)
    async with workshop.database.begin(ROOT) as tx:
        (fact,) = await facts(tx, "decoders.removed")
    assert (fact.subject_id, fact.before["hash"]) == (shared.id, shared.hash)
    assert await names(workshop, ROOT) == []


async def test_problems_are_counted_by_device_and_day_and_shown_to_those_who_may_read(
    workshop: Workshop,
) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    made = await decoders.make(workshop, ROOT, a_decoder(org, shared=True))
    ours = await a_device(workshop, org, made, "Ours")
    theirs = await a_device(workshop, other, made, "Theirs")
    gone = UUID(int=5)

    async with workshop.database.begin() as tx:
        problems = [
            Problem(made.id, ours, tx.now, made.hash, "decoders.timed_out", "too slow"),
            Problem(made.id, ours, tx.now, made.hash, "decoders.decode_failed", "it threw"),
            Problem(made.id, theirs, tx.now, made.hash, "decoders.decode_failed", "their secret"),
            Problem(gone, theirs, tx.now, None, "decoders.removed", "gone"),
        ]
        await decoders.note_problems(tx, problems)
        await decoders.note_problems(tx, problems[:1])
        old = Problem(made.id, ours, tx.now - timedelta(days=31), None, "x", "long ago")
        await decoders.note_problems(tx, [old])
    owner, everybody = reader(org), ROOT
    async with workshop.database.begin(owner) as tx:
        (shown,) = (await service.list_problems(tx, owner, made.id, ALL)).items
        overview = await service.look(tx, owner, made.id)
        both = await service.list_problems(tx, everybody, made.id, PageRequest(limit=1))
        rest = await service.list_problems(
            tx, everybody, made.id, PageRequest(limit=1, after=both.next)
        )
        await service.forget_old_problems(tx)
        left = (await tx.execute("SELECT count(*) FROM decoder_problems")).scalar_one()

    assert (shown.device_name, shown.count, shown.message) == ("Ours", 3, "too slow")
    assert (overview.failures, overview.device_count) == (3, 1)
    assert {p.device_name for p in (*both.items, *rest.items)} == {"Ours", "Theirs"}
    assert left == 2


async def test_a_decoder_that_keeps_failing_is_told_of_until_it_is_changed(
    workshop: Workshop,
) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    made = await decoders.make(workshop, ROOT, a_decoder(org, shared=True))
    odd = await decoders.make(workshop, ROOT, a_decoder(org, "Odd"))
    ours = await a_device(workshop, org, made, "Ours")
    theirs = await a_device(workshop, other, made, "Theirs")

    async def told() -> list[tuple[UUID, UUID | None, NoticeState]]:
        async with workshop.database.begin() as tx:
            await service.watch(tx)
            found = await notifications.list_notices(tx, ROOT, ALL, notifications.NoticeFilter())
        return [(n.subject_id, n.organization_id, n.state) for n in found.items]

    async def fail(decoder: Decoder, device: int, times: int) -> None:
        async with workshop.database.begin() as tx:
            problem = Problem(decoder.id, device, tx.now, decoder.hash, "x", "it threw")
            await decoders.note_problems(tx, [problem] * times)

    await fail(made, theirs, 3)
    await fail(made, ours, 2)
    await fail(odd, ours, 1)
    assert await told() == [(made.id, other, NoticeState.OPEN)]
    await fail(made, ours, 1)
    assert sorted(await told(), key=str) == sorted(
        [(made.id, org, NoticeState.OPEN), (made.id, other, NoticeState.OPEN)], key=str
    )
    await service.change(workshop, ROOT, made.id, {"source": HUNDREDTHS}, force=True)
    assert {state for _id, _org, state in await told()} == {NoticeState.CLEARED}


async def test_a_trial_shows_document_readings_log_and_problems(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    made = await decoders.make(workshop, ROOT, a_decoder(org))
    messages = [DecodeContext(bytes.fromhex(p), AT) for p in ("00e72d", "00")]

    kept = await decoders.try_out(workshop, reader(org), Attempt(decoder_id=made.id), messages)
    logging = "console.log('hi');\n" + TENTHS.replace("{\n  if", "{ console.log('in');\n  if", 1)
    own = await decoders.try_out(workshop, ROOT, Attempt(source=logging), messages)
    encoded = await decoders.try_out(
        workshop,
        ROOT,
        Attempt(Direction.ENCODE, decoder_id=made.id),
        [EncodeContext({"minutes": 10})],
    )

    good, bad = kept.outcomes
    assert isinstance(good, Decoded)
    assert good.readings[0].values == {"temperature": 23.1, "humidity": 45}
    assert isinstance(bad, DecodeFailure)
    assert kept.hash == made.hash
    assert isinstance(own.outcomes[0], Decoded)
    assert own.outcomes[0].trace is not None
    assert "in" in own.outcomes[0].trace.log
    (command,) = encoded.outcomes
    assert isinstance(command, Encoded)
    assert (command.payload, command.port) == (b"\x0a", 7)


async def test_an_endless_script_is_stopped_and_its_owner_waits_while_others_go_on(
    workshop: Workshop,
) -> None:
    org = await found(workshop.database, "Aarhus")
    greedy, modest = administrator(org), administrator(org)
    endless = Attempt(source="function decodeUplink() { while (true) {} }")
    message = [DecodeContext(b"\0\0\0", AT)]

    trial = await decoders.try_out(workshop, greedy, endless, message)
    running = [
        asyncio.create_task(decoders.try_out(workshop, greedy, endless, message)) for _ in range(3)
    ]
    results = await asyncio.gather(*running, return_exceptions=True)
    good = await decoders.try_out(workshop, modest, Attempt(source=TENTHS), message)

    (outcome,) = trial.outcomes
    assert isinstance(outcome, DecodeFailure)
    assert sum(isinstance(r, TrialsTooMany) for r in results) == 1
    assert isinstance(good.outcomes[0], Decoded)


async def test_time_for_trials_is_used_up_and_comes_back() -> None:
    clock = [0.0]
    turns = Turns(lambda: clock[0])
    async with turns.take(ROOT):
        clock[0] += 9
    async with turns.take(ROOT):
        clock[0] += 20

    with pytest.raises(TrialsTooMany) as refused:
        async with turns.take(ROOT):
            pass
    clock[0] += refused.value.public["retry_after_s"] + 1
    async with turns.take(ROOT):
        pass


async def test_unknown_bytes_bring_up_the_decoders_that_make_sense_of_them(
    workshop: Workshop,
) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    fitting = await decoders.make(workshop, ROOT, a_decoder(org, "Fits"))
    echo = "function decodeUplink(i) { return {data: {raw: i.bytes.join(','), n: 1}}; }"
    await decoders.make(workshop, ROOT, a_decoder(org, "Echo", source=echo))
    refusing = "function decodeUplink(i) { throw new Error('not mine'); }"
    await decoders.make(workshop, ROOT, a_decoder(org, "Refuses", source=refusing))
    endless = "function decodeUplink(i) { while (true) {} }"
    await decoders.make(workshop, ROOT, a_decoder(org, "Endless", source=endless))
    await decoders.make(workshop, ROOT, a_decoder(other, "Foreign"))
    somebody = reader(org)

    found_for_tenths = await service.suggest(workshop, somebody, bytes.fromhex("00e72d"))
    found_for_lpp = await service.suggest(workshop, somebody, bytes.fromhex("016700e70268 5a"))

    best, *others = found_for_tenths.items
    assert (best.name, best.decoder_id) == ("Fits", fitting.id)
    assert {s.name for s in others}.isdisjoint({"Refuses", "Endless", "Foreign"})
    assert best.score > max((s.score for s in others), default=0)
    assert found_for_lpp.items[0].name == "cayenne-lpp"
    assert found_for_lpp.items[0].decoder_id is None
    assert found_for_tenths.left_out == 0
