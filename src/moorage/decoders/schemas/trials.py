"""Bodies about trials of decoders."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import msgspec
from pydantic import Field, Strict, model_validator

from moorage.kit.errors import FieldInvalid
from moorage.kit.http import Body, Id, Instant, Out

from ..model import (
    Attempt,
    DecodeContext,
    Decoded,
    DecodeFailure,
    Direction,
    EncodeContext,
    Encoded,
    Readings,
    Suggestion,
    Suggestions,
    Trial,
)
from .kept import DirectionIn, Port, ScriptText, VersionNumber

MOST_MESSAGES = 100
LONGEST_PAYLOAD = 128 * 1024


class Encoding(StrEnum):
    """How bytes are written in JSON."""

    HEX = "hex"
    BASE64 = "base64"
    TEXT = "text"


EncodingIn = Annotated[Encoding, Strict(False)]
Payload = Annotated[
    str, Field(max_length=2 * LONGEST_PAYLOAD, description="The bytes, in `encoding`.")
]


def read_bytes(text: str, encoding: Encoding, pointer: str) -> bytes:
    """Read bytes as they are written. Raises FieldInvalid."""
    try:
        if encoding is Encoding.TEXT:
            return text.encode()
        if encoding is Encoding.BASE64:
            return base64.b64decode(text, validate=True)
        return bytes.fromhex(text.removeprefix("0x"))
    except (ValueError, binascii.Error) as error:
        raise FieldInvalid(pointer, f"is not {encoding.value}: {error}.") from error


class TryMessage(Body):
    """One message to try: bytes to decode, or `data` to encode."""

    payload: Payload = ""
    encoding: EncodingIn = Encoding.HEX
    data: Annotated[Any, Field(description="The command, where the direction is `encode`.")] = None
    code: Annotated[
        str, Field(max_length=100, description="The command's name, as `input.code`.")
    ] = ""
    port: Port | None = None
    content_type: Annotated[str | None, Field(max_length=200)] = None
    received_at: Instant | None = None
    metadata: Annotated[
        dict[str, Any] | None,
        Field(description="The device, as `decode(payload, metadata)` gets it."),
    ] = None
    event: Annotated[
        dict[str, Any] | None,
        Field(description="The network's whole object, as `decode(payload, metadata)` gets it."),
    ] = None
    variables: dict[str, str] | None = None

    def to_model(self, direction: Direction, index: int) -> DecodeContext | EncodeContext:
        """Make the noun. Raises FieldInvalid."""
        if direction is Direction.ENCODE:
            return EncodeContext(self.data, self.port, self.variables, self.code)
        return DecodeContext(
            read_bytes(self.payload, self.encoding, f"/messages/{index}/payload"),
            self.received_at or datetime.now(UTC),
            self.content_type,
            self.port,
            self.variables,
            self.event,
            self.metadata,
        )


class TryBody(Body):
    """What to try: a decoder (of some version), or a script of your own."""

    decoder_id: Id | None = None
    version: VersionNumber | None = None
    kind: str = "javascript"
    script: ScriptText | None = None
    direction: DirectionIn = Direction.DECODE
    messages: Annotated[list[TryMessage], Field(min_length=1, max_length=MOST_MESSAGES)]

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.decoder_id is not None and self.script is not None:
            raise ValueError("give either decoderId or script")
        return self

    def to_attempt(self) -> Attempt:
        """Make the noun."""
        return Attempt(self.direction, self.decoder_id, self.version, self.kind, self.script)

    def to_messages(self) -> list[DecodeContext | EncodeContext]:
        """Make the messages. Raises FieldInvalid."""
        return [m.to_model(self.direction, i) for i, m in enumerate(self.messages)]


class LocationOut(Out):
    """Where a device was."""

    latitude: float
    longitude: float
    altitude_m: float | None


class ReadingsOut(Out):
    """The values of one instant."""

    values: dict[str, int | float | bool | str]
    at: Instant | None
    location: LocationOut | None
    units: dict[str, str] | None

    @classmethod
    def of(cls, readings: Readings) -> Self:
        """Show readings."""
        return cls.model_validate(readings)


class ProblemOut(Out):
    """Why one message could not be done."""

    code: str
    message: str
    line: Annotated[int | None, Field(description="Line of the script, counted from 1.")]


class TraceOut(Out):
    """What a run left to look at."""

    function: str
    log: list[str]
    stack: str


class OutcomeOut(Out):
    """What came of one message."""

    document: Annotated[Any, Field(description="What the decoder returned.")] = None
    readings: list[ReadingsOut] = []
    dropped: Annotated[int, Field(description="Values that could not become readings.")] = 0
    bytes: Annotated[str | None, Field(description="The encoded command in hex.")] = None
    port: int | None = None
    warnings: list[str] = []
    problem: ProblemOut | None = None
    trace: TraceOut | None = None

    @classmethod
    def of(cls, outcome: Decoded | Encoded | DecodeFailure) -> Self:
        """Show an outcome."""
        trace = None if outcome.trace is None else TraceOut.model_validate(outcome.trace)
        if isinstance(outcome, DecodeFailure):
            return cls(problem=ProblemOut.model_validate(outcome), trace=trace)
        if isinstance(outcome, Encoded):
            return cls(
                bytes=outcome.payload.hex(),
                port=outcome.port,
                warnings=list(outcome.problems),
                trace=trace,
            )
        return cls(
            document=outcome.document and msgspec.json.decode(outcome.document),
            readings=[ReadingsOut.of(r) for r in outcome.readings],
            dropped=outcome.dropped,
            warnings=list(outcome.problems),
            trace=trace,
        )


class TrialOut(Out):
    """What came of the messages, in their order."""

    outcomes: list[OutcomeOut]
    hash: Annotated[str | None, Field(description="SHA-256 of the script that ran.")]
    used_ms: float

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """Show a trial."""
        outcomes = [OutcomeOut.of(outcome) for outcome in trial.outcomes]
        return cls(outcomes=outcomes, hash=trial.hash, used_ms=round(trial.used_s * 1000, 3))


class SuggestBody(Body):
    """Bytes that nobody knows."""

    payload: Payload
    encoding: EncodingIn = Encoding.HEX
    port: Port | None = None

    def to_bytes(self) -> bytes:
        """Read the bytes. Raises FieldInvalid."""
        return read_bytes(self.payload, self.encoding, "/payload")


class SuggestionOut(Out):
    """A decoder that makes sense of the bytes; without an id, a kind that needs no script."""

    name: str
    kind: str
    decoder_id: UUID | None
    score: Annotated[float, Field(description="0 to 1: how plausible the result is.")]
    outcome: OutcomeOut

    @classmethod
    def of(cls, found: Suggestion) -> Self:
        """Show a suggestion."""
        return cls(
            name=found.name,
            kind=found.kind,
            decoder_id=found.decoder_id,
            score=found.score,
            outcome=OutcomeOut.of(found.outcome),
        )


class SuggestionsOut(Out):
    """The plausible decoders, best first."""

    items: list[SuggestionOut]
    tried: int
    left_out: Annotated[int, Field(description="Decoders not tried for want of time.")]

    @classmethod
    def of(cls, found: Suggestions) -> Self:
        """Show suggestions."""
        items = [SuggestionOut.of(each) for each in found.items]
        return cls(items=items, tried=found.tried, left_out=found.left_out)
