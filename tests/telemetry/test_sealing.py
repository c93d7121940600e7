"""Sealed readings answer every question as the hot ones did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleet import ROOT, a_device, a_town
from moorage import devices, telemetry
from moorage.kit import pages
from moorage.kit.db import Database
from moorage.telemetry.service import sealing

DAY = timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


@dataclass
class History:
    """A device, and what was derived from its messages."""

    database: Database
    device: devices.Device
    last: int = 0

    async def keep(self, messages: Sequence[tuple[list[telemetry.Point], int]]) -> None:
        """Keep messages: their points, and flags."""
        batch = []
        for points, flags in messages:
            self.last += 1
            at_us = points[0].at_us if points else us(MIDNIGHT - 4 * DAY)
            batch.append(
                telemetry.Derived(
                    self.last, self.device.number, bytes(16), at_us, at_us, "", None, None,
                    points, None, None, flags,
                )
            )  # fmt: skip
        async with self.database.begin() as tx:
            await telemetry.Keeper(0).append(tx, batch)

    async def answers(self) -> list[Any]:
        """Ask everything there is to ask."""
        found: list[Any] = []
        async with self.database.begin() as tx:
            for start, end, series in (
                (-40 * DAY, DAY, ()),
                (-4.5 * DAY, -3.25 * DAY, ()),
                (-40 * DAY, DAY, ("a", "s")),
            ):
                window = telemetry.Window(MIDNIGHT + start, MIDNIGHT + end, series)
                found.append(await telemetry.readings(tx, ROOT, self.device.id, window))
            for problems in (False, True):
                for sort in ("at", "-at"):
                    found.append(await self._pages(tx, sort, problems))
        return found

    async def _pages(self, tx: Any, sort: str, problems: bool) -> list[telemetry.MessageRow]:
        rows: list[telemetry.MessageRow] = []
        after = None
        while True:
            asked = pages.PageRequest(3, after, sort, total=True)
            page = await telemetry.messages(tx, ROOT, self.device.id, asked, problems_only=problems)
            rows += [row for row, _raw in page.items]
            if (after := page.next) is None:
                assert page.total == len(rows)
                return rows

    async def tiers(self) -> tuple[int, int]:
        """Count hot rows and sealed blocks."""
        async with self.database.begin() as tx:
            given = {"device": self.device.number}
            hot = await tx.execute(
                "SELECT count(*) FROM telemetry_history WHERE device = :device", given
            )
            cold = await tx.execute(
                "SELECT count(*) FROM telemetry_sealed WHERE device = :device", given
            )
            return hot.scalar_one(), cold.scalar_one()


async def a_history(database: Database) -> History:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx, f"Town {UUID(int=id(tx))}")
        device = await devices.enrol(tx, ROOT, a_device(town))
    return History(database, device)


POINT = st.builds(
    telemetry.Point,
    st.one_of(
        st.integers(0, 5 * 86_400 * 50).map(lambda t: us(MIDNIGHT - 6 * DAY) + t * 20_000),
        st.sampled_from([us(MIDNIGHT - 4 * DAY), us(MIDNIGHT - 4 * DAY) - 1]),
    ),
    st.one_of(
        st.fixed_dictionaries({"a": st.integers(-500, 500).map(lambda v: v / 10)}),
        st.fixed_dictionaries({"a": st.floats(allow_nan=False, allow_infinity=False),
                               "on": st.booleans()}),
        st.fixed_dictionaries({"on": st.booleans(), "s": st.text(max_size=9).filter(
            lambda text: "\x00" not in text)}),
    ),
    st.sampled_from([None, {"a": "Cel"}]),
)  # fmt: skip
MESSAGES = st.lists(
    st.tuples(
        st.lists(POINT, max_size=3),
        st.sampled_from([0, 0, 0, telemetry.Flag.PROBLEM, telemetry.Flag.CLOCK]),
    ),
    max_size=30,
)


# Each example seals a day or more in the database, so a failure is shown as it was found.
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(first=MESSAGES, late=MESSAGES)
async def test_sealing_changes_no_answer(
    database: Database, first: list[Any], late: list[Any]
) -> None:
    history = await a_history(database)
    for messages in (first, late):
        await history.keep(messages)
        before = await history.answers()

        await telemetry.Sealer(database).work()

        assert await history.answers() == before


def regular(start: datetime, count: int, step: timedelta) -> list[tuple[list[Any], int]]:
    return [
        ([telemetry.Point(us(start + i * step), {"a": i / 10})], 0) for i in range(count)
    ]  # fmt: skip


async def test_closed_days_are_sealed_and_the_newest_stay_hot(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 10 * DAY, 100, 0.1 * DAY))

    await telemetry.Sealer(database).work()

    # Eight closed days share a block; today and the two days before it are hot.
    assert await history.tiers() == (20, 1)


async def test_large_days_have_blocks_of_their_own(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 5 * DAY, 2 * 1440, timedelta(minutes=1)))

    await telemetry.Sealer(database).work()

    assert await history.tiers() == (0, 2)


async def test_an_interrupted_seal_leaves_what_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 5 * DAY, 50, timedelta(hours=1)))
    before, tiers = await history.answers(), await history.tiers()
    seal = sealing.store.seal

    async def seal_and_die(*given: Any) -> int:
        await seal(*given)
        raise RuntimeError("the machine stopped")

    monkeypatch.setattr(sealing.store, "seal", seal_and_die)
    with pytest.raises(RuntimeError, match="stopped"):
        await telemetry.Sealer(database).work()

    assert await history.tiers() == tiers
    assert await history.answers() == before


async def test_a_sealed_days_partition_gives_its_space_back(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 5 * DAY, 24, timedelta(hours=1)))
    sealer = telemetry.Sealer(database)
    await sealer.work()

    await sealer.work()

    async with database.begin() as tx:
        name = f"telemetry_history_{MIDNIGHT - 5 * DAY:%Y%m%d}"
        size = await tx.execute("SELECT pg_relation_size(CAST(:name AS regclass))", {"name": name})
        assert size.scalar_one() == 0


async def test_a_range_over_the_limit_is_refused_in_both_tiers(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 5 * DAY, 24, timedelta(hours=1)))
    window = telemetry.Window(MIDNIGHT - 5 * DAY, MIDNIGHT, limit=23)

    for _ in range(2):
        async with database.begin() as tx:
            with pytest.raises(telemetry.RangeTooWide):
                await telemetry.readings(tx, ROOT, history.device.id, window)
        await telemetry.Sealer(database).work()
