"""Fixtures of the tests of user stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from user_stores import town as towns
from user_stores.slapd import Slapd, dn_of, dn_of_group, group, running
from user_stores.town import Town

UIDS = ("dora", "emil", "fie", "gert", "hans", "ida", "jens", "kaja", "lone", "mads", "nina",
        "ole", "per", "rikke", "sune", "tove")  # fmt: skip


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Give a directory; each test has people of its own in it."""
    nested = (
        group("crew", dn_of("dora"), dn_of("gert"), dn_of("hans"), dn_of("nina"))
        # Everybody is in `everybody` through `crew`; the groups of a ring are in each other.
        + group("everybody", dn_of_group("crew"))
        + group("ring", dn_of("emil"), dn_of_group("round"))
        + group("round", dn_of_group("ring"))
    )
    with running(tmp_path_factory.mktemp("slapd"), *UIDS, more=nested) as made:
        yield made


@pytest_asyncio.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    """Give an installation of its own."""
    async with towns.settled(database_url, tmp_path) as made:
        yield made
