"""Devices without a decoder: the common formats just work, other bytes are kept."""

from __future__ import annotations

from typing import Any

import cbor2
import msgspec
import pytest

from decoder_desk import a_job
from moorage import decoders
from moorage.decoders import Decoded, DecodeFailure, Workshop
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7


@pytest.fixture
def workshop() -> Workshop:
    """Give a workshop whose database is never asked."""
    database = Database("postgresql://127.0.0.1:1/none")
    return Workshop(database, Doorbells(database), decoders.find_runtimes())


def document(outcome: Decoded | DecodeFailure) -> Any:
    assert isinstance(outcome, Decoded), outcome
    return None if outcome.document is None else msgspec.json.decode(outcome.document)


@pytest.mark.parametrize(
    ("payload", "content_type", "expected"),
    [
        (b'{"t": 21.5}', "application/json; charset=utf-8", {"t": 21.5}),
        (b'{"t": 21.5}', "application/vnd.maker+json", {"t": 21.5}),
        (b'{"t": 21.5}', None, {"t": 21.5}),
        (b'{"t": 21.5}', "application/octet-stream", {"t": 21.5}),
        (cbor2.dumps({"t": 1}), "application/cbor", {"t": 1}),
        (cbor2.dumps({"t": 1}), None, {"t": 1}),
        (msgspec.msgpack.encode({"t": 1}), "application/msgpack", {"t": 1}),
        (msgspec.msgpack.encode({"t": 1}), None, {"t": 1}),
        (b'[{"n": "t", "v": 3}]', "application/senml+json", [{"n": "t", "v": 3}]),
        (b"<a><t>3</t></a>", "text/xml", {"a": {"t": 3}}),
        (b" 21.5\n", None, 21.5),
        (b"21.5", "application/x-www-form-urlencoded", 21.5),
        (b"true", "text/plain", True),
        (b"open", "text/plain", "open"),
        (b"\x01\x67\x00\xe7", None, None),
        (b"\x81\xff\xfe", None, None),
        (b"\xa1\xff\xfe", None, None),
        (b"", None, None),
    ],
)
async def test_without_a_decoder_the_common_formats_are_read_and_other_bytes_are_kept(
    workshop: Workshop, payload: bytes, content_type: str | None, expected: Any
) -> None:
    job = a_job(uuid7(), None, payload, content_type=content_type)

    ((version, outcome),) = await workshop.decode([job])

    assert version is None
    assert document(outcome) == expected


async def test_a_senml_pack_is_known_without_its_content_type(workshop: Workshop) -> None:
    pack = b'[{"bn": "urn:dev:1:", "n": "t", "u": "Cel", "v": 3}]'

    ((_, outcome),) = await workshop.decode([a_job(uuid7(), None, pack)])

    assert isinstance(outcome, Decoded)
    assert [(r.values, r.units) for r in outcome.readings] == [({"t": 3}, {"t": "Cel"})]


async def test_bytes_of_a_radio_network_are_not_guessed_at(workshop: Workshop) -> None:
    ((_, outcome),) = await workshop.decode([a_job(uuid7(), None, b"12", port=2)])

    assert outcome == Decoded(None)


@pytest.mark.parametrize(
    ("payload", "content_type"),
    [(b'{"t": ', "application/json"), (b'{"t": ', None), (b"\xff", "application/cbor")],
)
async def test_who_says_a_format_and_breaks_it_is_told(
    workshop: Workshop, payload: bytes, content_type: str | None
) -> None:
    job = a_job(uuid7(), None, payload, content_type=content_type)

    ((_, outcome),) = await workshop.decode([job])

    assert isinstance(outcome, DecodeFailure)
    assert outcome.code == "decoders.payload_malformed"
