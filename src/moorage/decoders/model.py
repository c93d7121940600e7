"""What goes into a decoder and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

Value = float | bool | str
"""A float64 (or an integer that fits one), a boolean, or text up to 256 bytes."""


class Location(msgspec.Struct, frozen=True, gc=False):
    """Where a device was: degrees in WGS 84, metres above the ellipsoid."""

    latitude: float
    longitude: float
    altitude_m: float | None = None


class Readings(msgspec.Struct, frozen=True, gc=False):
    """The values of one instant, by series name.

    Attributes:
        at: the device's own time; None where it gave none, and the time of receipt counts.
        units: UCUM codes by series name, where they are known.
    """

    values: dict[str, Value]
    at: datetime | None = None
    location: Location | None = None
    units: dict[str, str] | None = None


class DecodeContext(msgspec.Struct, frozen=True, gc=False):
    """One payload and what is known around it.

    Attributes:
        payload: the device's own bytes, without any network's envelope.
        event: the network's or the sender's whole JSON object, for `decode(payload, metadata)`;
            None lets the runtime take the payload itself where it is JSON, else
            `{"data": base64, "fPort": port, "recvTime": …}`.
        device: the device's description, for the second argument of `decode(payload, metadata)`; a
            `msgspec.Raw` of trusted JSON is passed on as it is.
    """

    payload: bytes
    received_at: datetime
    content_type: str | None = None
    port: int | None = None
    variables: Mapping[str, str] | None = None
    event: Any = None
    device: Any = None


class EncodeContext(msgspec.Struct, frozen=True, gc=False):
    """One command on its way to a device.

    Attributes:
        code: the command's name, beside its `data`; empty where it has none.
    """

    data: Any
    port: int | None = None
    variables: Mapping[str, str] | None = None
    code: str = ""


class Script(msgspec.Struct, frozen=True, gc=False):
    """One version of a decoder's text; `hash` is its SHA-256 in hex."""

    hash: str
    source: str


class DecodeBatch(msgspec.Struct, frozen=True):
    """Messages of one organization for one decoder.

    Attributes:
        script: None for runtimes that need no text.
        downlink: the payloads are commands (`decodeDownlink`).
        trace: fill `trace` of every result, not only where something was logged or failed.
    """

    organization: str
    messages: Sequence[DecodeContext]
    script: Script | None = None
    downlink: bool = False
    trace: bool = False


class EncodeBatch(msgspec.Struct, frozen=True):
    """Commands of one organization for one encoder."""

    organization: str
    messages: Sequence[EncodeContext]
    script: Script | None = None


class Trace(msgspec.Struct, frozen=True, gc=False):
    """What a run left to look at: the function that ran, what it logged, where it failed."""

    function: str
    log: tuple[str, ...] = ()
    stack: str = ""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """The document of one message and the readings in it.

    Attributes:
        document: JSON text in UTF-8, verbatim; None where the decoder returned nothing.
        dropped: values that could not become readings (not finite, too long, too many).
    """

    document: bytes | None
    readings: tuple[Readings, ...] = ()
    problems: tuple[str, ...] = ()
    dropped: int = 0
    trace: Trace | None = None


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """One command as bytes for the device."""

    payload: bytes
    port: int | None = None
    problems: tuple[str, ...] = ()
    trace: Trace | None = None


class DecodeFailure(msgspec.Struct, frozen=True, gc=False):
    """Why one message was not decoded; the others of its batch were.

    Attributes:
        code: the stable code of a class in `errors`.
        line: line of the script, counted from 1.
        reported: what the function itself returned as `errors`.
    """

    code: str
    message: str
    line: int | None = None
    reported: tuple[str, ...] = ()
    trace: Trace | None = None


class ScriptOutline(msgspec.Struct, frozen=True, gc=False):
    """The functions a script offers, by what they are for; None where it has none."""

    decode: str | None = None
    decode_downlink: str | None = None
    encode: str | None = None


class Job(msgspec.Struct, frozen=True, gc=False):
    """One message for the workshop; without a decoder, its content type decides."""

    organization_id: UUID
    decoder_id: UUID | None
    content: DecodeContext


class EncodeJob(msgspec.Struct, frozen=True, gc=False):
    """One command for the workshop."""

    organization_id: UUID
    decoder_id: UUID | None
    content: EncodeContext


# --- Decoders as people keep them -----------------------------------------


class Direction(StrEnum):
    """Which of a decoder's functions is meant."""

    DECODE = "decode"
    DECODE_DOWNLINK = "decodeDownlink"
    ENCODE = "encode"


@dataclass(frozen=True, slots=True)
class Decoder:
    """A named way from bytes to readings; its text in force is version `version`.

    `kind` is the runtime's name and stays. A shared decoder is seen and used by every organisation,
    and changed by its own only. `units` are UCUM codes by series name, for numbers that the runtime
    gives no unit; they belong to the decoder, whichever version is in force.
    """

    id: UUID
    organization_id: UUID
    name: str
    kind: str
    description: str
    shared: bool
    units: Mapping[str, str]
    version: int
    hash: str
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Overview(Decoder):
    """A decoder as somebody sees it.

    Attributes:
        script: the text in force; None in lists.
        device_count: devices that use it, of those the caller may see.
        failures: messages of these devices that it could not do in the last 7 days.
        last_failure_at: when it last could not.
    """

    script: str | None
    device_count: int
    failures: int
    last_failure_at: datetime | None


@dataclass(frozen=True, slots=True)
class TestCase:
    """What must come out for what goes in; the shapes of `input` are those of ChirpStack's cases.

    To decode: `bytes` (numbers, hex, or base64 after `base64:`), `fPort`, `recvTime`, `variables`,
    `payload` and `metadata` for `decode(payload, metadata)`. To encode: `data`, `fPort`,
    `variables`.
    """

    name: str
    direction: Direction
    input: Mapping[str, Any]
    expected: Any

    __test__ = False


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one test case went; `difference` names the first one, and is empty where it passed."""

    name: str
    difference: str

    @property
    def passed(self) -> bool:
        """Tell whether the result was the one expected."""
        return not self.difference


@dataclass(frozen=True, slots=True)
class NewDecoder:
    """What makes a decoder."""

    organization_id: UUID
    name: str
    kind: str = "javascript"
    source: str = ""
    description: str = ""
    shared: bool = False
    test_cases: tuple[TestCase, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """One text a decoder has had; `script` is None in lists."""

    n: int
    hash: str
    created_at: datetime
    created_by: UUID
    current: bool
    script: str | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """Which version of a decoder is in force, without its text."""

    id: UUID
    organization_id: UUID
    kind: str
    shared: bool
    hash: str
    units: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DecoderKind:
    """A kind of decoder that is installed."""

    name: str
    needs_script: bool
    encodes: bool
    content_types: tuple[str, ...]


class Problem(msgspec.Struct, frozen=True, gc=False):
    """A message that a decoder could not do, for `note_problems`.

    `device` is the device's internal number, `hash` the version that ran, if one did.
    """

    decoder_id: UUID
    device: int
    at: datetime
    hash: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failing:
    """A decoder that keeps failing on devices of an organisation; `message` is the last."""

    decoder_id: UUID
    name: str
    organization_id: UUID
    devices: int
    message: str


@dataclass(frozen=True, slots=True)
class ProblemsOfDevice:
    """What a decoder could not do for one device lately; the last problem in full."""

    device_id: UUID
    device_name: str
    count: int
    last_at: datetime
    hash: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What to try: a decoder that is kept, or a script of the given kind that is not (yet)."""

    direction: Direction = Direction.DECODE
    decoder_id: UUID | None = None
    version: int | None = None
    kind: str = "javascript"
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of an attempt: one outcome per message, and the time it all took."""

    outcomes: tuple[Decoded | Encoded | DecodeFailure, ...]
    hash: str | None
    used_s: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A decoder, or a kind that needs none, that makes sense of some bytes.

    `score` runs from 0 to 1: how much of the payload matters to the result, and how likely its
    values are.
    """

    name: str
    kind: str
    decoder_id: UUID | None
    score: float
    outcome: Decoded


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The plausible decoders, best first, and how many were tried and left out for want of time."""

    items: tuple[Suggestion, ...]
    tried: int
    left_out: int
