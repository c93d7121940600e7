"""Our own door and the brokers in front of it keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fronts import places
from fronts.broker import Place
from fronts.suite import *  # noqa: F403
from installation import Installation


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with places.installation(tmp_path_factory.mktemp("fronts")) as made:
        yield made


@pytest.fixture(scope="module", params=places.ALL, ids=lambda opening: opening.__name__)
def place(
    request: pytest.FixtureRequest, platform: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    opening: places.Opening = request.param
    with opening(platform, tmp_path_factory.mktemp("place")) as made:
        yield made
