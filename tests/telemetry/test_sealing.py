"""Sealed readings answer every question as the hot ones did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleet import ROOT
from history import DAY, MIDNIGHT, a_history, midnight, regular, us
from moorage import telemetry
from moorage.kit.db import Database
from moorage.telemetry import store

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
    max_examples=15,
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


async def test_closed_days_are_sealed_and_the_newest_stay_hot(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(midnight() - 10 * DAY, 100, 0.1 * DAY))

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
    seal = store.seal

    async def seal_and_die(*given: Any) -> int:
        await seal(*given)
        raise RuntimeError("the machine stopped")

    monkeypatch.setattr(store, "seal", seal_and_die)
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


async def test_long_periods_are_grouped_alike_in_both_tiers(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 40 * DAY, 38 * 24, timedelta(hours=1)))
    window = telemetry.Window(
        MIDNIGHT - 20_000 * DAY, MIDNIGHT + 9_000 * DAY, step_s=86_400, aggregate="max", limit=38
    )

    for _ in range(2):
        async with database.begin() as tx:
            rows = await telemetry.readings(tx, ROOT, history.device.id, window)
        assert [row.at for row in rows] == [MIDNIGHT - d * DAY for d in range(40, 2, -1)]
        assert [row.values["a"] for row in rows] == [(24 * d + 23) / 10 for d in range(38)]
        await telemetry.Sealer(database).work()
