"""RabbitMQ in front keeps the promises of our own door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fronts.broker import Place
from fronts.places import in_front_rabbitmq, installation
from fronts.suite import *  # noqa: F403
from installation import Installation


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("fronts")) as made:
        yield made


@pytest.fixture(scope="module", params=[in_front_rabbitmq], ids=lambda p: p.__name__)
def place(
    request: pytest.FixtureRequest, platform: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with request.param(platform, tmp_path_factory.mktemp("place")) as made:
        yield made
