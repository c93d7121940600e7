"""Every installed message log passes the same suite."""

from __future__ import annotations

import pytest

from moorage.kit import plugins
from moorage.kit.db import Database
from moorage.ledger import Log, LogKind
from moorage.testing import logs

KINDS: dict[str, LogKind] = plugins.find("moorage.logs").plugins


def test_both_logs_are_installed() -> None:
    assert set(KINDS) >= {"memory", "postgresql"}


@pytest.mark.parametrize("name", KINDS)
async def test_a_log_does_what_every_log_must(name: str, database: Database) -> None:
    made: list[Log] = []

    async def make() -> Log:
        async with database.begin() as tx:
            await tx.execute("DELETE FROM ledger_raw")
            await tx.execute("DELETE FROM ledger_keys")
        made.append(await KINDS[name].open(database.url))
        return made[-1]

    await logs.check_log(make)
    for log in made:
        await log.close()


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.durable])
async def test_a_durable_log_is_found_again(name: str, database: Database) -> None:
    first = await KINDS[name].open(database.url)
    appended = await first.append(0, logs.frames("kept"))
    await first.close()
    assert appended.first is not None
    second = await KINDS[name].open(database.url)
    found = await second.read(0, appended.first, 1)
    await second.close()
    assert logs.texts(found, appended.first) == ["kept"]
