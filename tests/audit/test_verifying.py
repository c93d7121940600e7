"""Verifying an export: the honest one holds, and of any other the first wrong entry is named."""

from __future__ import annotations

import json
import random
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from moorage.audit import Fault, Verdict, read_keys, verify
from moorage.audit.errors import KeysMalformed
from moorage.audit.model import FactEntry
from moorage.audit.schemas import ChainedFactOut
from moorage.audit.service.sealing import instant, linked
from moorage.kit import chain

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
HOMES = (None, UUID(int=0xA), UUID(int=0xB))


@dataclass
class Books:
    """Chains as the platform writes them, in memory."""

    rng: random.Random
    entries: list[FactEntry] = field(default_factory=list)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    heads: dict[UUID | None, tuple[int, bytes]] = field(default_factory=dict)
    dropped: dict[UUID | None, int] = field(default_factory=dict)

    def write(self, home: UUID | None, name: str = "things.changed", **more: Any) -> FactEntry:
        place, previous = self.heads.get(home, (0, chain.genesis(home)))
        number = len(self.entries) + 1
        person = UUID(int=self.rng.randrange(1, 4))
        about = self.rng.random() < 0.3
        fact = FactEntry(
            id=UUID(int=self.rng.getrandbits(128)),
            number=number,
            at=START + timedelta(seconds=number, microseconds=self.rng.randrange(10**6)),
            name=name,
            organization_id=home,
            subject_id=UUID(int=self.rng.randrange(1, 4)) if about else UUID(int=99),
            caller_kind="person",
            caller_id=person,
            caller_label=f"person{person.int}@example.org",
            origin=self.rng.choice([None, "192.0.2.7"]),
            before=self.rng.choice([None, {"level": 1.5, "ü": [1e21, {"b": None}]}]),
            after={"email": "anna@example.org", "active": True} if about else {"n": number},
            personal=["email"] if about else None,
        )
        made = linked(replace(fact, place=place + 1, **more), previous)
        self.entries.append(made)
        self.heads[home] = place + 1, made.link or b""
        return made

    def sign(self, home: UUID | None, at_place: int | None = None) -> None:
        last = next(
            (e for e in reversed(self.entries)
             if e.organization_id == home and at_place in (None, e.place)), None,
        )  # fmt: skip
        if last is None:
            return
        said: dict[str, Any] = {
            "organizationId": str(home) if home else None,
            "place": last.place,
            "number": last.number,
            "link": (last.link or b"").hex(),
            "at": instant(START + timedelta(days=1)),
            "keyId": str(UUID(int=5)),
        }
        signature = KEY.sign(chain.checkpoint_bytes(said)).hex()
        self.checkpoints.append(said | {"key": PUBLIC.hex(), "signature": signature})

    def erase(self, person: int) -> None:
        """Erase a person as `kit.erasing` does, telling each chain."""
        told: dict[UUID | None, dict[str, list[list[int]]]] = {}
        for index, entry in enumerate(self.entries):
            parts = told.setdefault(entry.organization_id, {})
            if entry.caller_id.int == person:
                entry = replace(entry, caller_label="erased", origin=None, caller_salt=None)
                parts.setdefault("caller", []).append([entry.place or 0] * 2)
            if entry.personal and entry.subject_id.int == person:
                after = {**(entry.after or {}), "email": "erased"}
                entry = replace(entry, after=after, about_salt=None)
                parts.setdefault("about", []).append([entry.place or 0] * 2)
            self.entries[index] = entry
        for home, parts in told.items():
            for part, places in parts.items():
                self.write(
                    home, "audit.entries_erased", after={part: places}, personal=None,
                    caller_kind="system", caller_id=UUID(int=0),
                )  # fmt: skip

    def drop(self, home: UUID | None, up_to: int) -> None:
        self.sign(home, up_to)
        self.dropped[home] = up_to
        after = {"from_place": 1, "to_place": up_to}
        self.write(home, "audit.entries_dropped", personal=None, after=after)

    def export(self) -> list[bytes]:
        return [
            ChainedFactOut.model_validate(entry).model_dump_json(by_alias=True).encode()
            for entry in self.entries
            if (entry.place or 0) > self.dropped.get(entry.organization_id, 0)
        ]

    def words(self) -> list[bytes]:
        return [json.dumps(one).encode() for one in self.checkpoints]


def honest(seed: int, size: int) -> Books:
    rng = random.Random(seed)
    books = Books(rng)
    for _ in range(size):
        books.write(rng.choice(HOMES))
        if rng.random() < 0.1:
            books.sign(rng.choice(HOMES))
        if rng.random() < 0.05:
            books.erase(rng.randrange(1, 4))
    for home in HOMES:
        if home in books.heads and rng.random() < 0.4:
            books.drop(home, rng.randrange(1, books.heads[home][0] + 1))
    for home in HOMES:
        if rng.random() < 0.8:
            books.sign(home)
    return books


SEEDS, SIZES = st.integers(0, 2**32), st.integers(1, 30)


@given(SEEDS, SIZES)
def test_an_honest_export_holds(seed: int, size: int) -> None:
    books = honest(seed, size)
    lines = books.export()
    found = verify(lines, books.words(), {PUBLIC})
    assert found.broken is None
    erased = [e for e in map(json.loads, lines) if e["callerSalt"] is None
              or (e["personal"] and e["aboutSalt"] is None)]  # fmt: skip
    assert sum(one.erased for one in found.chains.values()) == len(erased)
    for home in found.chains:
        own = books.dropped.get(UUID(home) if home else None, 0)
        assert found.chains[home].first == own + 1


FORGED: dict[str, Any] = {
    "id": str(UUID(int=77)), "number": 10**6, "at": "2026-03-01T00:00:00.000Z",
    "name": "things.other", "subjectId": str(UUID(int=77)), "callerKind": "system",
    "callerId": str(UUID(int=77)), "callerLabel": "nobody", "origin": "203.0.113.9",
    "before": {"x": 1}, "after": {"x": 2}, "personal": ["x"], "link": "00" * 32,
    "callerSalt": "00" * 16, "callerDigest": "00" * 32, "aboutSalt": "00" * 16,
    "aboutDigest": "00" * 32,
}  # fmt: skip


@given(SEEDS, SIZES, st.data())
def test_a_changed_entry_is_named(seed: int, size: int, data: st.DataObject) -> None:
    lines = (books := honest(seed, size)).export()
    if not lines:
        return
    index = data.draw(st.integers(0, len(lines) - 1))
    entry = json.loads(lines[index])
    name = data.draw(st.sampled_from(sorted(FORGED)))
    if name in ("callerLabel", "origin") and entry["callerSalt"] is None:
        return  # What was erased shows a pseudonym, and proves nothing.
    if name in ("after", "before") and entry["personal"] and entry["aboutSalt"] is None:
        entry[name] = {**(entry[name] or {}), "x": 1}
    else:
        entry[name] = FORGED[name]
    if entry == json.loads(lines[index]):
        return
    lines[index] = json.dumps(entry).encode()
    broken = verify(lines, books.words(), {PUBLIC}).broken
    assert broken is not None
    assert (broken.line, broken.fault) in (
        (index + 1, Fault.CHANGED), (index + 1, Fault.MALFORMED),
    )  # fmt: skip


@given(SEEDS, SIZES, st.data())
def test_a_removed_a_repeated_and_a_swapped_entry_are_named(
    seed: int, size: int, data: st.DataObject
) -> None:
    books = honest(seed, size)
    lines = books.export()
    homes = [json.loads(line)["organizationId"] for line in lines]
    home = data.draw(st.sampled_from([None, *map(str, HOMES[1:])]))
    own = [index for index, whose in enumerate(homes) if whose == home]
    if len(own) < 3:
        return
    at = data.draw(st.integers(0, len(own) - 2))
    here, there = own[at], own[at + 1]
    place = json.loads(lines[here])["place"]

    without = verify([*lines[:here], *lines[here + 1 :]], books.words(), {PUBLIC}).broken
    assert without is not None
    assert (without.fault, without.organization_id, without.place) == (Fault.MISSING, home, place)

    twice = verify([*lines[: here + 1], *lines[here:]], books.words(), {PUBLIC}).broken
    assert twice is not None
    assert (twice.fault, twice.place, twice.line) == (Fault.OUT_OF_PLACE, place, here + 2)

    swapped = list(lines)
    swapped[here], swapped[there] = lines[there], lines[here]
    wrong = verify(swapped, books.words(), {PUBLIC}).broken
    assert wrong is not None
    # Where a checkpoint stands between the first two, the second may be where a rest begins.
    assert (wrong.fault, wrong.place, wrong.line) == (Fault.MISSING, place, here + 1) or (
        (at, wrong.fault, wrong.place, wrong.line) == (0, Fault.OUT_OF_PLACE, place, there + 1)
    )


@given(SEEDS, SIZES, st.data())
def test_an_end_that_was_cut_off_is_named(seed: int, size: int, data: st.DataObject) -> None:
    books = honest(seed, size)
    home = data.draw(st.sampled_from([home for home in HOMES if home in books.heads]))
    books.sign(home)
    own = [line for line in books.export()
           if json.loads(line)["organizationId"] == (str(home) if home else None)]  # fmt: skip
    cut = data.draw(st.integers(1, max(1, len(own))))
    if not own:
        return
    whose = home or chain.INSTALLATION
    kept = own[:-cut]
    erasures = b"audit.entries_erased" in b"".join(own[-cut:])
    broken = verify(kept, books.words(), {PUBLIC}, whose).broken
    assert broken is not None
    first = json.loads(own[-cut])["place"] if kept else 1
    assert (broken.fault, broken.place) == (Fault.CUT_OFF, first) or erasures


def test_a_chain_written_anew_is_not_the_one_that_was_signed() -> None:
    books, other = Books(random.Random(1)), Books(random.Random(2))
    for _ in range(9):
        books.write(HOMES[1])
        other.write(HOMES[1])
    books.sign(HOMES[1], 4)
    books.sign(HOMES[1], 8)
    broken = verify(other.export(), books.words(), {PUBLIC}).broken
    assert broken is not None
    assert (broken.fault, broken.place) == (Fault.REWRITTEN, 4)


def test_a_text_that_was_only_called_erased_is_named() -> None:
    books = Books(random.Random(3))
    for _ in range(9):
        books.write(HOMES[1])
    victim = books.entries[4]
    books.entries[4] = replace(victim, caller_salt=None, caller_label="somebody else")
    books.sign(HOMES[1])
    broken = verify(books.export(), books.words(), {PUBLIC}).broken
    assert broken is not None
    assert (broken.fault, broken.place) == (Fault.ERASED_UNTOLD, 5)


def test_an_entry_of_another_organization_is_named() -> None:
    books = Books(random.Random(4))
    for home in (HOMES[1], HOMES[1], HOMES[2], HOMES[1]):
        books.write(home)
    books.sign(HOMES[1])
    broken = verify(books.export(), books.words(), {PUBLIC}, HOMES[1]).broken
    assert broken is not None
    assert (broken.fault, broken.line) == (Fault.WRONG_ORGANIZATION, 3)
    assert list(verify(books.export(), books.words(), {PUBLIC}).chains) == [*map(str, HOMES[1:])]
    own = [books.export()[index] for index in (0, 1, 3)]
    assert verify(own, books.words(), {PUBLIC}).broken is None
    # Under the name of the other it is no part of that chain either.
    moved = [line.replace(str(HOMES[1]).encode(), str(HOMES[2]).encode()) for line in own]
    again = verify(moved, [], {PUBLIC}).broken
    assert again is not None
    assert (again.fault, again.line) == (Fault.CHANGED, 1)


@pytest.mark.parametrize("name", ["place", "number", "link", "at", "organizationId", "signature"])
def test_a_forged_checkpoint_is_named(name: str) -> None:
    books = Books(random.Random(5))
    for _ in range(5):
        books.write(HOMES[1])
    books.sign(HOMES[1])
    good = books.checkpoints[0]
    forged = {
        "place": 4, "number": 4, "link": "00" * 32, "at": instant(START), "signature": "00" * 64,
        "organizationId": str(HOMES[2]),
    }[name]  # fmt: skip
    books.checkpoints[0] = good | {name: forged}
    assert verify(books.export(), [json.dumps(good).encode()], {PUBLIC}).broken is None
    broken = verify(books.export(), books.words(), {PUBLIC}).broken
    assert broken is not None
    assert broken.fault is Fault.SIGNATURE_FORGED


def test_a_checkpoint_of_another_key_is_believed_only_where_no_key_is_given() -> None:
    books = Books(random.Random(6))
    books.write(HOMES[1])
    books.sign(HOMES[1])
    unpinned = verify(books.export(), books.words())
    assert (unpinned.broken, unpinned.keys) == (None, {PUBLIC.hex()})
    broken = verify(books.export(), books.words(), {bytes(32)}).broken
    assert broken is not None
    assert broken.fault is Fault.SIGNATURE_FORGED


def test_what_was_not_sealed_yet_is_told_and_not_proven() -> None:
    books = Books(random.Random(7))
    books.write(HOMES[1])
    fresh = replace(
        books.entries[0], number=None, place=None, link=None, caller_salt=None, caller_digest=None,
        about_salt=None, about_digest=None,
    )  # fmt: skip
    line = ChainedFactOut.model_validate(fresh).model_dump_json(by_alias=True).encode()
    found = verify([*books.export(), line], books.words(), {PUBLIC})
    assert (found.unsealed, found.broken) == (1, None)


@pytest.mark.parametrize(
    "line", [b"[]", b"{}", b"{", b'"x"', b"\xff", b'{"place": "1"}', b"null", b"1"]
)
def test_what_is_no_entry_is_named(line: bytes) -> None:
    found: Verdict = verify([b"\n", line], [])
    assert found.broken is not None
    assert (found.broken.fault, found.broken.line) == (Fault.MALFORMED, 2)


def test_keys_are_read_as_they_are_published() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read_keys(pem.decode()) == {PUBLIC}
    published = {"kty": "OKP", "crv": "Ed25519", "x": urlsafe_b64encode(PUBLIC).decode().strip("=")}
    assert read_keys(json.dumps(published)) == {PUBLIC}
    assert read_keys(json.dumps({"keys": [published, {"kty": "EC", "crv": "P-256"}]})) == {PUBLIC}
    for wrong in ("", "[]", "{}", "3", '{"keys": 1}', "-----BEGIN X-----"):
        with pytest.raises(KeysMalformed):
            read_keys(wrong)
