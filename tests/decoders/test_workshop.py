"""The workshop decodes and encodes with the versions in force."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from decoder_desk import HUNDREDTHS, a_decoder, a_job, administrator, found, opened
from moorage import decoders
from moorage.decoders import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeContext,
    Encoded,
    EncodeJob,
    Job,
    Workshop,
    service,
)
from moorage.kit.ids import uuid7

PAYLOAD = bytes.fromhex("00e72d")


@pytest.fixture
async def workshop(database_url: str) -> AsyncIterator[Workshop]:
    async with opened(database_url) as workshop:
        yield workshop


def document(outcome: Decoded | DecodeFailure) -> Any:
    assert isinstance(outcome, Decoded), outcome
    return None if outcome.document is None else msgspec.json.decode(outcome.document)


async def test_each_message_is_decoded_by_its_decoder_and_answers_keep_their_order(
    workshop: Workshop,
) -> None:
    org = await found(workshop.database, "Aarhus")
    admin = administrator(org)
    tenths = await decoders.make(workshop, admin, a_decoder(org))
    hundredths = await decoders.make(
        workshop, admin, a_decoder(org, "Hundredths", source=HUNDREDTHS)
    )
    lpp = await decoders.make(workshop, admin, a_decoder(org, "LPP", kind="cayenne-lpp", source=""))
    jobs = [
        a_job(org, tenths.id, PAYLOAD),
        a_job(org, None, b'{"a": 1}'),
        a_job(org, hundredths.id, PAYLOAD),
        a_job(org, lpp.id, bytes.fromhex("016700e7")),
        a_job(org, tenths.id, b"\x01"),
        a_job(org, tenths.id, bytes.fromhex("00f02d")),
    ]

    answers = await workshop.decode(jobs)

    assert [version for version, _ in answers] == [
        tenths.hash, None, hundredths.hash, lpp.hash, tenths.hash, tenths.hash,
    ]  # fmt: skip
    assert document(answers[0][1]) == {"temperature": 23.1, "humidity": 45}
    assert document(answers[1][1]) == {"a": 1}
    assert document(answers[2][1]) == {"temperature": 2.31, "humidity": 45}
    assert document(answers[3][1]) == {"temperature_1": 23.1}
    failure = answers[4][1]
    assert isinstance(failure, DecodeFailure)
    assert "three bytes, please" in failure.message
    assert document(answers[5][1])["temperature"] == 24


async def test_a_new_version_acts_within_a_second(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    admin = administrator(org)
    decoder = await decoders.make(workshop, admin, a_decoder(org))
    jobs = [a_job(org, decoder.id, PAYLOAD)]
    assert document((await workshop.decode(jobs))[0][1])["temperature"] == 23.1

    changed = await service.change(workshop, admin, decoder.id, {"source": HUNDREDTHS})
    started = time.monotonic()
    while (answer := (await workshop.decode(jobs))[0])[0] != changed.hash:
        assert time.monotonic() - started < 30
        await asyncio.sleep(0.01)

    assert document(answer[1])["temperature"] == 2.31


async def test_a_new_version_is_found_without_a_doorbell(
    workshop: Workshop,
) -> None:
    org = await found(workshop.database, "Aarhus")
    admin = administrator(org)
    decoder = await decoders.make(workshop, admin, a_decoder(org))
    jobs = [a_job(org, decoder.id, PAYLOAD)]
    await workshop.decode(jobs)
    async with workshop.database.begin() as tx:
        await tx.execute(
            "UPDATE decoder_versions SET hash = 'other', source = :s", {"s": HUNDREDTHS}
        )

    started = time.monotonic()
    while (answer := (await workshop.decode(jobs))[0])[0] != "other":
        assert time.monotonic() - started < 30
        await asyncio.sleep(0.05)

    assert document(answer[1])["temperature"] == 2.31


async def test_a_removed_or_foreign_decoder_fails_its_own_messages_only(
    workshop: Workshop,
) -> None:
    org, other = await found(workshop.database, "Aarhus"), await found(workshop.database, "Odense")
    admin = administrator(org)
    private = await decoders.make(workshop, admin, a_decoder(org))
    shared = await decoders.make(workshop, admin, a_decoder(org, "Shared", shared=True))
    jobs = [
        a_job(other, uuid7(), PAYLOAD),
        a_job(other, private.id, PAYLOAD),
        a_job(other, shared.id, PAYLOAD),
    ]

    (gone, foreign, good) = await workshop.decode(jobs)

    assert isinstance(gone[1], DecodeFailure)
    assert gone[0] is None
    assert gone[1].code == "decoders.removed"
    assert "Choose another one" in gone[1].message
    assert isinstance(foreign[1], DecodeFailure)
    assert foreign[1].code == "decoders.foreign"
    assert document(good[1])["humidity"] == 45


async def test_commands_are_encoded_in_order(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    decoder = await decoders.make(workshop, administrator(org), a_decoder(org))

    answers = await workshop.encode(
        [
            EncodeJob(org, decoder.id, EncodeContext({"minutes": 10})),
            EncodeJob(org, None, EncodeContext({"minutes": 10})),
            EncodeJob(org, decoder.id, EncodeContext({"minutes": 20})),
        ]
    )

    assert [a[1].payload for a in answers if isinstance(a[1], Encoded)] == [b"\x0a", b"\x14"]
    assert isinstance(answers[1][1], DecodeFailure)
    assert answers[1][1].code == "decoders.not_chosen"


class Stubborn:
    """A plugin's runtime that breaks every promise."""

    name = "stubborn"
    needs_script = False
    content_types = ("application/x-stubborn", "application/x-mute")

    async def outline(self, batch: DecodeBatch) -> Any:
        raise NotImplementedError

    async def decode(self, batch: DecodeBatch) -> list[Decoded | DecodeFailure]:
        if batch.messages[0].payload == b"mute":
            return []
        raise ZeroDivisionError

    async def encode(self, batch: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass


async def test_a_runtime_that_breaks_stops_nobody_else(database_url: str) -> None:
    runtimes = {**decoders.find_runtimes(), "stubborn": Stubborn()}
    async with opened(database_url, runtimes) as workshop:
        jobs = [
            a_job(uuid7(), None, b"x", content_type="application/x-stubborn"),
            a_job(uuid7(), None, b"mute", content_type="application/x-mute"),
            a_job(uuid7(), None, b"3"),
        ]

        answers = await workshop.decode(jobs)

    assert [type(a[1]) for a in answers] == [DecodeFailure, DecodeFailure, Decoded]


class Slow(Stubborn):
    """A runtime whose process does not come up at the first attempt."""

    name = "slow"
    content_types = ("application/x-slow",)
    attempts = 0

    async def decode(self, batch: DecodeBatch) -> list[Decoded | DecodeFailure]:
        self.attempts += 1
        if self.attempts == 1:
            raise decoders.RuntimeUnavailable(reason="it was killed")
        return [Decoded(b"1", ()) for _ in batch.messages]


async def test_a_runtime_that_was_not_there_is_asked_again(database_url: str) -> None:
    runtimes = {**decoders.find_runtimes(), "slow": Slow()}
    async with opened(database_url, runtimes) as workshop:
        job = a_job(uuid7(), None, b"x", content_type="application/x-slow")

        answers = await workshop.decode([job])

    assert type(answers[0][1]) is Decoded


async def test_four_thousand_messages_of_many_devices_are_one_call(workshop: Workshop) -> None:
    orgs = [await found(workshop.database, f"Town {n}") for n in range(2)]
    made = [
        (org, (await decoders.make(workshop, administrator(org), a_decoder(org))).id)
        for org in orgs
    ]
    jobs: list[Job] = []
    for n in range(4000):
        org, decoder_id = made[n % 2]
        payload = bytes((n >> 8, n & 0xFF, 1))
        content = DecodeContext(payload, a_job(org, None, b"").content.received_at)
        jobs.append(Job(org, decoder_id, content))

    answers: Sequence[tuple[str | None, Decoded | DecodeFailure]] = await workshop.decode(jobs)

    temperatures = [
        a.readings[0].values["temperature"] for _, a in answers if isinstance(a, Decoded)
    ]
    assert temperatures == [n / 10 for n in range(4000)]


async def test_words_of_a_script_that_no_column_can_hold_are_replaced(workshop: Workshop) -> None:
    org = await found(workshop.database, "Aarhus")
    source = """
    function decodeUplink(input) {
      if (input.bytes[0]) throw new Error("a\\0b");
      return { data: { n: 1 }, warnings: ["c\\0d"] };
    }
    """
    made = await decoders.make(workshop, administrator(org), a_decoder(org, source=source))
    jobs = [a_job(org, made.id, b"\x01"), a_job(org, made.id, b"\x00")]
    (_, failed), (_, warned) = await workshop.decode(jobs)
    assert isinstance(failed, DecodeFailure)
    assert "a\N{REPLACEMENT CHARACTER}b" in failed.message
    assert isinstance(warned, Decoded)
    assert warned.problems == ("c\N{REPLACEMENT CHARACTER}d",)
