"""The life of operations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet import Town, a_device, a_town, reader
from moorage import devices, operations
from moorage.kit.db import Database, Tx
from moorage.kit.pages import PageRequest
from moorage.operations import NewOperation, OperationFilter, OperationState, service
from moorage.organizations import PermissionMissing


async def a_bin(tx: Tx, name: str = "Aarhus") -> tuple[Town, devices.Device]:
    town = await a_town(tx, name)
    return town, await devices.enrol(tx, town.admin, a_device(town))


async def test_an_operation_is_claimed_once_delivered_and_answered(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        issued = await operations.issue(tx, town.admin, device.id, NewOperation("open", {"s": 3}))
        assert issued.state is OperationState.PENDING

    async with database.begin() as one, database.begin() as other:
        (taken,) = await operations.claim(one, [device.number])
        assert await operations.claim(other, [device.number]) == []
    assert (taken.id, taken.code, taken.payload, taken.attempts) == (issued.id, "open", {"s": 3}, 1)

    async with database.begin() as tx:
        assert await operations.claim(tx, [device.number]) == []
        await operations.delivered(tx, [taken.id])
        answer = operations.report(tx, device.number, taken.id, OperationState.COMPLETED, {"ok": 1})
        assert await answer
        again = operations.report(tx, device.number, taken.id, OperationState.COMPLETED, {"ok": 1})
        assert not await again
        done = await operations.get(tx, town.admin, taken.id)
    assert (done.state, done.result) == (OperationState.COMPLETED, {"ok": 1})
    assert done.finished_at is not None


async def test_what_was_sent_and_not_taken_is_sent_again(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        await operations.issue(tx, town.admin, device.id, NewOperation("open"))
        (first,) = await operations.claim(tx, [device.number])
        tx.now += timedelta(seconds=31)
        (second,) = await operations.claim(tx, [device.number])
        await operations.delivered(tx, [second.id])
        tx.now += timedelta(seconds=31)
        assert await operations.claim(tx, [device.number]) == []
    assert (first.id, first.attempts, second.attempts) == (second.id, 1, 2)


async def test_what_could_not_be_handed_over_waits_again(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        await operations.issue(tx, town.admin, device.id, NewOperation("open"))
        (taken,) = await operations.claim(tx, [device.number])
        await operations.unclaim(tx, [taken.id])
        assert [c.id for c in await operations.claim(tx, [device.number])] == [taken.id]


async def test_operations_expire_unsent_and_time_out_unanswered(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        brief = NewOperation("open", expires_in=timedelta(minutes=1))
        unsent = await operations.issue(tx, town.admin, device.id, brief)
        asked = NewOperation("close", answer_within=timedelta(minutes=2))
        unanswered = await operations.issue(tx, town.admin, device.id, asked)
        await operations.claim(tx, [device.number])
        await operations.delivered(tx, [unanswered.id])
        tx.now += timedelta(seconds=90)
        await service.end_overdue(tx)
        assert (await operations.get(tx, town.admin, unsent.id)).state is OperationState.EXPIRED
        assert (await operations.get(tx, town.admin, unanswered.id)).state is OperationState.SENT
        tx.now += timedelta(seconds=60)
        await service.end_overdue(tx)
        state = (await operations.get(tx, town.admin, unanswered.id)).state
        assert state is OperationState.TIMED_OUT
        # A late answer is still kept.
        assert await operations.report(tx, device.number, unanswered.id, OperationState.COMPLETED)


async def test_a_cancelled_operation_is_not_sent(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        issued = await operations.issue(tx, town.admin, device.id, NewOperation("open"))
        await operations.cancel(tx, town.admin, issued.id)
        assert await operations.claim(tx, [device.number]) == []
        with pytest.raises(service.AlreadyFinished):
            await operations.cancel(tx, town.admin, issued.id)


async def test_a_device_reports_its_own_operations_only(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        other = await devices.enrol(tx, town.admin, a_device(town, "Bin 2"))
        issued = await operations.issue(tx, town.admin, device.id, NewOperation("open"))
        await operations.claim(tx, [device.number])
        with pytest.raises(operations.OperationUnknown):
            await operations.report(tx, other.number, issued.id, OperationState.COMPLETED)


async def test_operations_stay_inside_their_organisation_and_follow_their_device(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        other, _ = await a_bin(tx, "Odense")
        issued = await operations.issue(tx, town.admin, device.id, NewOperation("open"))
        everything = PageRequest(), OperationFilter()
        assert (await operations.list_operations(tx, other.admin, *everything)).items == []
        with pytest.raises(operations.OperationUnknown):
            await operations.get(tx, other.admin, issued.id)
        with pytest.raises(devices.DeviceUnknown):
            await operations.issue(tx, other.admin, device.id, NewOperation("open"))
        with pytest.raises(PermissionMissing):
            onlooker = reader(town.organization_id)
            await operations.issue(tx, onlooker, device.id, NewOperation("open"))

        both = service.Caller(
            town.admin.kind,
            town.admin.id,
            "both",
            (
                *town.admin.grants,
                *other.admin.grants,
            ),
        )
        await devices.move(tx, both, device.id, other.application_id)
        listed = (await operations.list_operations(tx, other.admin, *everything)).items
        assert [o.id for o in listed] == [issued.id]
        with pytest.raises(operations.OperationUnknown):
            await operations.get(tx, town.admin, issued.id)


async def test_limits_of_payload_and_queue_are_refused_in_words(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        with pytest.raises(service.PayloadTooLarge, match="at most 16384"):
            await operations.issue(tx, town.admin, device.id, NewOperation("x", "y" * 17_000))
        for _ in range(service.MOST_OPEN):
            await operations.issue(tx, town.admin, device.id, NewOperation("x"))
        with pytest.raises(service.TooManyPending, match="100 operations already wait"):
            await operations.issue(tx, town.admin, device.id, NewOperation("x"))


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"state": "error", "problem": "jammed"}, (OperationState.ERROR, None, "jammed")),
        ({"state": "completed", "result": [1]}, (OperationState.COMPLETED, [1], None)),
        ({"angle": 3}, (OperationState.COMPLETED, {"angle": 3}, None)),
        ("ok", (OperationState.COMPLETED, "ok", None)),
    ],
)
def test_reports_are_read_leniently(body: object, read: object) -> None:
    assert operations.read_report(body) == read


def test_a_report_of_an_impossible_state_is_refused() -> None:
    with pytest.raises(operations.ReportMalformed, match="completed"):
        operations.read_report({"state": "expired"})


async def test_a_failure_stays_one_whatever_its_words_hold(database: Database) -> None:
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        issued = await operations.issue(tx, town.admin, device.id, NewOperation("open"))
        await operations.claim(tx, [device.number])
        body = b'{"state": "error", "problem": "jammed\\u0000", "result": {"n": 1e400}}'
        await operations.report_sent(tx, device.number, f"op/{issued.id}/result", body)
        found = await operations.get(tx, town.admin, issued.id)
    assert (found.state, found.problem) == (OperationState.ERROR, "jammed")
    assert found.result == {"n": None}


async def test_an_answer_is_kept_whatever_it_holds_and_progress_waits_its_turn(
    database: Database,
) -> None:
    bodies: dict[bytes, object] = {
        b'{"state": "completed", "result": {"lid": "open"}}': {"lid": "open"},
        b"done": "done",
        b'"a\\u0000b"': "ab",
        b"\xff\x00": "\N{REPLACEMENT CHARACTER}",
        b'{"half": "\\ud800", "huge": 1e400}': {"half": "?", "huge": None},
        b"[" * 70 + b"]" * 70: "[" * 70 + "]" * 70,
    }
    async with database.begin() as tx:
        town, device = await a_bin(tx)
        for body, kept in bodies.items():
            issued = await operations.issue(tx, town.admin, device.id, NewOperation("open"))
            channel = f"op/{issued.id}/result"
            await operations.claim(tx, [device.number])
            progress = b'{"state": "inProgress"}'
            await operations.report_sent(tx, device.number, channel, progress, only_answers=True)
            state = (await operations.get(tx, town.admin, issued.id)).state
            assert state is OperationState.SENT
            await operations.report_sent(tx, device.number, channel, body, only_answers=True)
            answered = await operations.get(tx, town.admin, issued.id)
            assert (answered.state, answered.result) == (OperationState.COMPLETED, kept)
            await operations.report_sent(tx, device.number, channel, progress)
            assert await operations.get(tx, town.admin, issued.id) == answered
        await operations.report_sent(tx, device.number, "op/nonsense/result", b"")
