"""Every operation of the OpenAPI document, with data that fits it and data that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from httpx2 import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import FailureGroup, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from borders import filled
from cluster import fresh_database
from served import Served, serving
from test_borders import DEVICES_DOOR, is_endless

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def served(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("served")
    with fresh_database(server_url) as url, serving(url, directory) as served:
        yield served


def let_in(served: Served, client: Client) -> None:
    """Let `client` in as a GlobalAdmin if it is not, since some operations end a session."""
    if client.get("/api/v1/auth/me").status_code == 200:
        return
    signed_in = served.do(
        served.world.sign_in("admin@example.org")
        if getattr(served, "has_admin", False)
        else served.world.admin()
    )
    served.has_admin = True  # type: ignore[attr-defined]
    client.cookies.clear()
    client.cookies.update(dict(signed_in.cookies))
    client.headers["X-CSRF-Token"] = signed_in.headers["X-CSRF-Token"]


@pytest.mark.search
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_keeps_to_the_document(served: Served, mode: GenerationMode) -> None:
    document = served.world.openapi()
    schema = schemathesis.openapi.from_dict(document)
    slim = schemathesis.openapi.from_dict(without_required(document))
    asked = 0
    failed: list[str] = []
    with Client(base_url=served.url) as client:
        for found in schema.get_all_operations():
            operation: Any = found.ok()
            raw = document["paths"][operation.path][operation.method]
            if is_endless(raw):
                continue
            let_in(served, client)
            try:
                asked += probe(
                    served, client, operation, slim[operation.path][operation.method], mode
                )
            except (AssertionError, FailureGroup) as wrong:
                failed.append(f"{operation.label}: {wrong}")
                failed += [str(inner) for inner in getattr(wrong, "exceptions", ())]
    assert not failed, "\n\n".join(failed)
    assert asked > 100


def without_required(part: Any) -> Any:
    """Give a document whose objects may leave out what they like."""
    if isinstance(part, list):
        return [without_required(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        name: without_required(one)
        for name, one in part.items()
        if name != "required" or not isinstance(one, list)
    }


def probe(served: Served, client: Client, operation: Any, slim: Any, mode: GenerationMode) -> int:
    asked = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=settings.default.max_examples // 100,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        known = served.north.ids
        if asked % 2 and "{" in operation.path:
            path = filled(operation.path, known)
        else:
            path = case.formatted_path
        sent = case.as_transport_kwargs(base_url=served.url)
        arguments = {
            k: v for k, v in sent.items() if k in ("params", "json", "data", "headers") and v
        }
        headers = {
            k: v for k, v in dict(arguments.pop("headers", {})).items()
            if k.lower() not in ("authorization", "x-api-key", "cookie")
        }  # fmt: skip
        if operation.path.startswith(DEVICES_DOOR):
            headers["X-Device-Key"] = served.north.device_key
        # A form stays one; anything else is sent as it is.
        if "data" in arguments and not isinstance(arguments["data"], dict):
            arguments["content"] = arguments.pop("data")
        answer = client.request(
            operation.method.upper(), served.url + path, headers=headers, **arguments
        )
        if "fields" in (case.query or {}):
            # It leaves out what an item else must have; all that is there fits nevertheless.
            case.validate_response(answer, checks=CHECKS[:-1])
            slim.validate_response(answer)
        else:
            case.validate_response(answer, checks=CHECKS)

    with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
        # Nothing that breaks the rules can be made for an operation without input.
        ask()
    return asked
