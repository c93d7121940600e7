"""Verifying an export of the audit against signed checkpoints: no server, no database.

An export is read line by line, so that it may be of any length. docs/audit.md says what is proven.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from moorage.kit import chain
from moorage.kit.erasing import EntriesErased

from ..errors import CheckpointsMalformed, KeysMalformed
from ..facts import EntriesDropped

_FIELDS = frozenset(
    {
        "id", "number", "place", "at", "name", "organizationId", "subjectId", "callerKind",
        "callerId", "callerLabel", "origin", "before", "after", "personal", "link", "callerSalt",
        "callerDigest", "aboutSalt", "aboutDigest",
    }
)  # fmt: skip


class Fault(StrEnum):
    """What is wrong with an entry or checkpoint."""

    MALFORMED = "malformed"
    CHANGED = "changed"
    MISSING = "missing"
    OUT_OF_PLACE = "outOfPlace"
    REWRITTEN = "rewritten"
    CUT_OFF = "cutOff"
    WRONG_ORGANIZATION = "wrongOrganization"
    ERASED_UNTOLD = "erasedUntold"
    SIGNATURE_FORGED = "signatureForged"


_WORDS = {
    Fault.MALFORMED: "is no entry of an export",
    Fault.CHANGED: "is not what was sealed",
    Fault.MISSING: "is missing",
    Fault.OUT_OF_PLACE: "does not belong here: its place was taken already",
    Fault.REWRITTEN: "is not what was signed: the chain was written anew",
    Fault.CUT_OFF: "is missing: the end that a checkpoint tells of was cut off",
    Fault.WRONG_ORGANIZATION: "is of another organization than asked for",
    Fault.ERASED_UNTOLD: "lost text of a person, and no later entry says that it was erased",
    Fault.SIGNATURE_FORGED: "has a signature that no known key made",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing that is wrong.

    Attributes:
        organization_id: whose chain; None is the installation's.
        place: in it, where that is known.
        id: of the entry found there; None where it is missing.
        line: of the export, counted from 1; None past its end and of a checkpoint.
    """

    fault: Fault
    organization_id: str | None
    place: int | None
    id: str | None
    line: int | None

    @property
    def words(self) -> str:
        """Say it in one sentence."""
        what = "The checkpoint" if self.fault is Fault.SIGNATURE_FORGED else "Entry"
        where = "" if self.place is None else f" {self.place}"
        whose = f" of organization {self.organization_id}" if self.organization_id else ""
        line = "" if self.line is None else f" (line {self.line})"
        id_ = "" if self.id is None else f", {self.id},"
        return f"{what}{where}{whose}{id_}{line} {_WORDS[self.fault]}."


@dataclass(slots=True)
class Chain:
    """What was read of one chain.

    Attributes:
        organization_id: whose; None is the installation's.
        first: place of the first entry; what was before it retention dropped, up to a checkpoint.
        last: place of the last entry.
        erased: entries without the text of a person who was erased.
        signed: place of the last checkpoint that holds; 0 if none does.
        signed_at: when it was signed.
        drop_told: whether an entry says that what was before the first was dropped.
    """

    organization_id: str | None
    first: int
    last: int
    link: bytes
    erased: int = 0
    signed: int = 0
    signed_at: str | None = None
    drop_told: bool = False
    untold: dict[str, set[int]] = field(default_factory=lambda: {"caller": set(), "about": set()})


@dataclass(slots=True)
class Verdict:
    """What a verification found.

    Attributes:
        chains: by organization.
        unsealed: entries at the end that were not sealed yet when they were exported.
        absent: chains that checkpoints tell of and the export does not.
        keys: those that signed, as hexadecimal; to be compared with what is published.
        broken: None if everything holds.
    """

    chains: dict[str | None, Chain] = field(default_factory=dict)
    unsealed: int = 0
    absent: list[str | None] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    broken: Broken | None = None


def read_keys(text: str) -> set[bytes]:
    """Read public keys: a JSON Web Key Set, one JSON Web Key, or PEM. Raises KeysMalformed."""
    try:
        if text.lstrip().startswith("-----"):
            key = load_pem_public_key(text.encode())
            return {key.public_bytes_raw()} if isinstance(key, Ed25519PublicKey) else set()
        found = json.loads(text)
        return {
            base64.urlsafe_b64decode(one["x"] + "=" * (-len(one["x"]) % 4))
            for one in found.get("keys", [found])
            if one["kty"] == "OKP" and one["crv"] == "Ed25519"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise KeysMalformed from wrong


def verify(
    lines: Iterable[bytes],
    checkpoints: Iterable[bytes],
    keys: set[bytes] | None = None,
    organization_id: UUID | None = None,
) -> Verdict:
    """Verify an export; ends at the first thing that is wrong.

    Args:
        lines: of the export (NDJSON), unfiltered: a chain that lacks an entry is broken.
        checkpoints: of the list of checkpoints (NDJSON).
        keys: public keys to trust, 32 bytes each; None trusts those the checkpoints bring along.
        organization_id: the only one that entries may be of (`kit.chain.INSTALLATION`: of none).

    Raises:
        CheckpointsMalformed: what was given as checkpoints is none.
    """
    verdict = Verdict()
    signed: dict[str | None, dict[int, Mapping[str, Any]]] = {}
    for one in _read_checkpoints(checkpoints):
        if not _is_signed(one, keys):
            place, whose = one["place"], one["organizationId"]
            verdict.broken = Broken(Fault.SIGNATURE_FORGED, whose, place, None, None)
            return verdict
        verdict.keys.add(one["key"])
        signed.setdefault(one["organizationId"], {})[one["place"]] = one
    only: tuple[str | None, ...] | None = None
    if organization_id is not None:
        only = (None if organization_id == chain.INSTALLATION else str(organization_id),)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            verdict.broken = _take(verdict, signed, only, number, line)
            if verdict.broken is not None:
                return verdict
    verdict.broken = _end(verdict, signed, only)
    verdict.absent = sorted(signed.keys() - verdict.chains.keys(), key=str)
    return verdict


_Signed = Mapping[str | None, Mapping[int, Mapping[str, Any]]]


def _take(
    verdict: Verdict, signed: _Signed, only: tuple[str | None, ...] | None, number: int, line: bytes
) -> Broken | None:
    """Take in one line of the export; gives what is wrong with it."""
    try:
        entry = msgspec.json.decode(line)
        if not isinstance(entry, dict) or entry.keys() != _FIELDS:
            return Broken(Fault.MALFORMED, None, None, None, number)
        if entry["place"] is None:
            verdict.unsealed += 1
            return None
        return _take_entry(verdict, signed, only, number, entry)
    except (ValueError, TypeError, AttributeError, msgspec.MsgspecError):
        return Broken(Fault.MALFORMED, None, None, None, number)


def _take_entry(
    verdict: Verdict,
    signed: _Signed,
    only: tuple[str | None, ...] | None,
    number: int,
    entry: Mapping[str, Any],
) -> Broken | None:
    whose, place, id_ = entry["organizationId"], entry["place"], entry["id"]
    if only is not None and whose not in only:
        return Broken(Fault.WRONG_ORGANIZATION, whose, place, id_, number)
    checkpoints = signed.get(whose, {})
    read = verdict.chains.get(whose)
    if read is None:
        before = checkpoints.get(place - 1)
        if place == 1:
            start = chain.genesis(None if whose is None else UUID(whose))
        elif before is not None:
            start = bytes.fromhex(before["link"])
        else:
            return Broken(Fault.MISSING, whose, place - 1, None, number)
        read = verdict.chains[whose] = Chain(whose, place, place - 1, start)
        if before is not None:
            read.signed, read.signed_at = place - 1, before["at"]
    if place > read.last + 1:
        return Broken(Fault.MISSING, whose, read.last + 1, None, number)
    if place <= read.last:
        return Broken(Fault.OUT_OF_PLACE, whose, place, id_, number)
    link = _proven(entry, read)
    if link is None:
        return Broken(Fault.CHANGED, whose, place, id_, number)
    read.last, read.link = place, link
    checkpoint = checkpoints.get(place)
    if checkpoint is not None:
        if (checkpoint["link"], checkpoint["number"]) != (link.hex(), entry["number"]):
            return Broken(Fault.REWRITTEN, whose, place, id_, number)
        read.signed, read.signed_at = place, checkpoint["at"]
    if entry["name"] == EntriesDropped.name:
        read.drop_told |= entry["after"]["to_place"] == read.first - 1
    if entry["name"] == EntriesErased.name:
        for part, ranges in (entry["after"] or {}).items():
            _tell(read.untold[part], ranges, place)
    return None


def _proven(entry: Mapping[str, Any], read: Chain) -> bytes | None:
    """Compute the link of an entry; None if it is not what stands there."""
    caller = bytes.fromhex(entry["callerDigest"])
    if entry["callerSalt"] is None:
        read.untold["caller"].add(entry["place"])
    elif chain.caller_digest(entry, bytes.fromhex(entry["callerSalt"])) != caller:
        return None
    about = None
    if entry["personal"]:
        about = bytes.fromhex(entry["aboutDigest"])
        if entry["aboutSalt"] is None:
            read.untold["about"].add(entry["place"])
        elif chain.about_digest(entry, bytes.fromhex(entry["aboutSalt"])) != about:
            return None
    elif entry["aboutSalt"] is not None or entry["aboutDigest"] is not None:
        return None
    if entry["callerSalt"] is None or (about is not None and entry["aboutSalt"] is None):
        read.erased += 1
    link = chain.link(entry, read.link, caller, about)
    return link if link.hex() == entry["link"] else None


def _tell(untold: set[int], ranges: Iterable[Iterable[int]], before: int) -> None:
    """Take out what an entry says was erased; it can only speak of what came before it."""
    for first, last in ranges:
        last = min(last, before - 1)
        if last - first < len(untold):
            untold.difference_update(range(first, last + 1))
        else:
            untold.difference_update([place for place in untold if first <= place <= last])


def _end(verdict: Verdict, signed: _Signed, only: tuple[str | None, ...] | None) -> Broken | None:
    """Find what is missing at the end."""
    for whose, read in verdict.chains.items():
        if max(signed.get(whose, {}), default=0) > read.last:
            return Broken(Fault.CUT_OFF, whose, read.last + 1, None, None)
        if read.first > 1 and not read.drop_told:
            return Broken(Fault.MISSING, whose, read.first - 1, None, None)
        untold = read.untold["caller"] | read.untold["about"]
        if untold:
            return Broken(Fault.ERASED_UNTOLD, whose, min(untold), None, None)
    # Of chains that are wholly away only those count that were asked for; the others are told.
    asked = list(only) if only else ([] if verdict.chains else list(signed))
    for whose in asked:
        if whose not in verdict.chains and signed.get(whose):
            return Broken(Fault.CUT_OFF, whose, 1, None, None)
    return None


def _read_checkpoints(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line)
            bytes.fromhex(one["link"] + one["key"] + one["signature"])
            if type(one["place"]) is not int or one["organizationId"] != (
                one["organizationId"] and str(UUID(one["organizationId"]))
            ):
                raise CheckpointsMalformed
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.MsgspecError) as wrong:
            raise CheckpointsMalformed from wrong
        yield one


def _is_signed(checkpoint: Mapping[str, Any], keys: set[bytes] | None) -> bool:
    key = bytes.fromhex(checkpoint["key"])
    if keys is not None and key not in keys:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(
            bytes.fromhex(checkpoint["signature"]), chain.checkpoint_bytes(checkpoint)
        )
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True
