"""Our own door and Mosquitto in front keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fronts.broker import Place
from fronts.places import in_front_certificates, in_front_mosquitto, installation, own_door
from fronts.suite import *  # noqa: F403
from installation import Installation


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("fronts")) as made:
        yield made


@pytest.fixture(
    scope="module",
    params=[own_door, in_front_mosquitto, in_front_certificates],
    ids=lambda p: p.__name__,
)
def place(
    request: pytest.FixtureRequest, platform: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with request.param(platform, tmp_path_factory.mktemp("place")) as made:
        yield made
