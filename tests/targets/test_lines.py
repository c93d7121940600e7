"""Order, back-off, breaker and giving up, on a clock of our own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from moorage.targets.model import HealthState, Outcome, Pending, Reason, Result
from moorage.targets.service.lines import FAILURES_TO_OPEN, WINDOW_ROWS, Lines, Policy, Settled

START = datetime(2026, 11, 1, tzinfo=UTC)
WALL = START.timestamp()
OK, FAILED = Result(Outcome.ACCEPTED), Result(Outcome.FAILED)
REFUSED, OUTAGE = Result(Outcome.REFUSED), Result(Outcome.OUTAGE)


def row(n: int, device: int = 1, attempts: int = 0) -> Pending:
    return Pending(n, UUID(int=1), device, UUID(int=n), b"x", START, date(2026, 11, 1), attempts)


def lines(*, pause: float = 1.0, **policy: float) -> Lines:
    """Make lines whose pauses are `pause` times the longest they could be."""
    return Lines(Policy(**policy), lambda most: most * pause)  # type: ignore[arg-type]


def send(held: Lines, result: Result, now: float = 0.0, wall: float = WALL) -> list[Settled]:
    """Let the next batch end as told."""
    batch = held.next(now)
    assert batch, "Nothing was ready."
    return held.settle(batch, [result] * len(batch), now, wall)


def ns(batch: Sequence[tuple[Pending, int]]) -> list[int]:
    return [row.n for row, _attempt in batch]


def test_devices_go_side_by_side_and_each_in_order() -> None:
    held = lines()
    held.add([row(1, 1), row(2, 1), row(3, 2)])
    first, second = held.next(0), held.next(0)
    assert ns(first) == [1]
    assert ns(second) == [3]
    assert held.next(0) == []
    held.settle(first, [OK], 0, WALL)
    assert ns(held.next(0)) == [2]


def test_no_more_is_under_way_than_allowed() -> None:
    held = lines(concurrency=3)
    held.add(row(n, n) for n in range(1, 10))
    assert [ns(held.next(0)) for _ in range(4)] == [[1], [2], [3], []]


def test_a_batch_takes_a_devices_messages_in_order() -> None:
    held = lines(batch=4)
    held.add([row(1, 1), row(2, 1), row(3, 2), row(4, 1)])
    assert ns(held.next(0)) == [1, 2, 4, 3]


def test_a_later_message_waits_for_an_earlier_one_that_failed() -> None:
    held = lines()
    held.add([row(1, 1), row(2, 1), row(3, 2)])
    send(held, FAILED)
    assert ns(held.next(0.5)) == [3]
    assert held.next(0.5) == []
    assert held.wake_at() == 1.0
    (again,) = held.next(1.0)
    assert (again[0].n, again[1]) == (1, 2)


def test_what_was_refused_makes_room_for_the_next() -> None:
    held = lines()
    held.add([row(1), row(2)])
    (settled,) = send(held, REFUSED)
    assert settled.reason is Reason.REFUSED
    assert ns(held.next(0)) == [2]


def test_pauses_double_up_to_a_minute() -> None:
    held = lines(max_attempts=100)
    held.add([row(1)])
    now, waited = 0.0, []
    for _ in range(4):
        send(held, FAILED, now)
        wake_at = held.wake_at()
        assert wake_at is not None
        waited.append(wake_at - now)
        now = wake_at
    assert waited == [1, 2, 4, 8]
    for _ in range(20):
        send(held, FAILED, now)
        wake_at = held.wake_at()
        assert wake_at is not None
        last, now = wake_at - now, wake_at
    assert last == 60


def test_a_pause_is_drawn_from_the_whole_range() -> None:
    held = Lines(Policy())
    waits = set()
    for n in range(50):
        held = Lines(Policy())
        held.add([row(n)])
        send(held, FAILED)
        wake_at = held.wake_at()
        assert wake_at is not None
        assert 0 <= wake_at <= 1
        waits.add(wake_at)
    assert len(waits) > 40


def test_a_message_is_given_up_after_its_attempts() -> None:
    held = lines(pause=0, max_attempts=3)
    held.add([row(1, attempts=1), row(2)])
    assert send(held, FAILED)[0].reason is None
    assert send(held, FAILED)[0].reason is Reason.ATTEMPTS


def test_an_outage_uses_up_no_attempts() -> None:
    held = lines(pause=0, max_attempts=2)
    held.add([row(1)])
    for _ in range(50):
        assert send(held, OUTAGE)[0].reason is None
    assert send(held, OK)[0].attempt == 1


def test_a_message_is_given_up_when_it_is_too_old() -> None:
    held = lines(pause=0, max_age_s=60)
    held.add([row(1), row(2), row(3, 2)])
    assert send(held, OUTAGE, wall=WALL + 59)[0].reason is None
    assert held.expire(WALL + 59) == []
    given_up = held.expire(WALL + 61)
    assert {(s.row.n, s.reason) for s in given_up} >= {(1, Reason.AGE), (3, Reason.AGE)}
    assert held.rows == 0


def test_the_breaker_opens_after_failures_in_a_row_and_one_message_tries() -> None:
    held = lines(concurrency=32)
    held.add(row(n, n) for n in range(1, 20))
    batches = [held.next(0) for _ in range(FAILURES_TO_OPEN)]
    for batch in batches:
        held.settle(batch, [OUTAGE], 0, WALL)
    assert held.state is HealthState.OPEN
    assert held.next(0.5) == []
    probe = held.next(1.0)
    assert len(probe) == 1
    assert held.next(1.0) == [], "Only one message tries."
    held.settle(probe, [OK], 1.0, WALL)
    assert held.state is HealthState.OK
    # All who waited for the target may go at once.
    assert len([1 for _ in range(32) if held.next(1.0)]) == 18


def test_a_breaker_that_stays_open_waits_longer() -> None:
    held = lines()
    held.add(row(n, n) for n in range(1, 20))
    for batch in [held.next(0) for _ in range(FAILURES_TO_OPEN)]:
        held.settle(batch, [OUTAGE], 0, WALL)
    assert held.wake_at() == 1.0
    send(held, OUTAGE, 1.0)
    assert held.wake_at() == 3.0


def test_a_target_that_asks_to_wait_is_left_alone_so_long() -> None:
    held = lines(pause=0)
    held.add([row(1, 1), row(2, 2)])
    send(held, Result(Outcome.OUTAGE, 429, retry_after_s=90))
    assert held.next(89) == []
    assert len(held.next(90)) == 1


def test_a_device_that_waits_holds_one_row_and_catches_up_in_order() -> None:
    held = lines()
    held.add([row(1, 1), row(2, 1), row(3, 2)])
    send(held, FAILED)
    assert held.rows == 2, "Row 2 was let go; it is read again."
    assert list(held.behind) == [1]
    assert held.to_catch_up() == []
    # Meanwhile the reader leaves the device out, and goes on.
    held.add([row(5, 3)])
    send(held, OK, 1.0)  # device 2
    send(held, OK, 1.0)  # device 3
    send(held, OK, 1.0)  # device 1, row 1
    assert held.to_catch_up() == [(1, 1)]
    held.catch_up(1, [row(2, 1), row(4, 1)], upto=4)
    assert list(held.behind) == [1]
    assert ns(held.next(1.0)) == [2]


def test_a_device_that_fails_does_not_fill_the_window() -> None:
    held = lines()
    held.add(row(n, 1) for n in range(1, WINDOW_ROWS + 1))
    assert held.room == 0
    send(held, FAILED)
    assert held.room == WINDOW_ROWS - 1


def test_nothing_is_lost_or_doubled_whatever_happens() -> None:
    """Drive lines like a deliverer does, over a store of our own, with a rough target."""
    import random

    dice = random.Random(7)
    outbox = {n: row(n, dice.randrange(6)) for n in range(1, 3000)}
    held = lines(pause=0.5, concurrency=4, batch=3, max_attempts=1000)
    accepted: list[Pending] = []
    now = 0.0
    while outbox or not held.idle:
        for device, after in held.to_catch_up():
            found = [
                r for r in outbox.values() if r.device == device and after < r.n <= held.cursor
            ]
            found = found[:7]
            held.catch_up(device, found, upto=found[-1].n if len(found) == 7 else None)
        found = [r for r in outbox.values() if r.n > held.cursor and r.device not in held.behind]
        held.add(found[:50])
        batches = []
        while batch := held.next(now):
            batches.append(batch)
        dice.shuffle(batches)
        for batch in batches:
            results, bad = [], set()
            for one, _attempt in batch:
                if one.device in bad or dice.random() < 0.1:
                    bad.add(one.device)
                    results.append(FAILED)
                else:
                    results.append(OK)
            for settled in held.settle(batch, results, now, WALL):
                if settled.result is OK:
                    accepted.append(outbox.pop(settled.row.n))
        wake_at = held.wake_at()
        now = max(now, wake_at or now)
    assert sorted(r.n for r in accepted) == list(range(1, 3000))
    for device in range(6):
        order = [r.n for r in accepted if r.device == device]
        assert order == sorted(order)
