"""Bodies about decoders that people keep."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Id, Instant, Name, Out, Stamped, Storable, Units, UnitsPatch

from ..model import (
    Direction,
    NewDecoder,
    TestCase,
)

LONGEST_SCRIPT = 512 * 1024
MOST_CASES = 500


Text = Annotated[str, Field(max_length=10_000), Storable]
ScriptText = Annotated[
    str,
    Field(max_length=LONGEST_SCRIPT, description="JavaScript, or what the kind takes for a text."),
    Storable,
]
DirectionIn = Annotated[Direction, Strict(False)]
Port = Annotated[int, Field(ge=0, le=255)]
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class TestCaseBody(Body):
    """What must come out for what goes in."""

    __test__ = False

    name: Name
    direction: DirectionIn = Direction.DECODE
    input: Annotated[
        dict[str, Any],
        Field(
            description="To decode: `bytes` (numbers, hex, or base64 after `base64:`), `fPort`, "
            "`recvTime`, `variables`, `payload`, `metadata`. To encode: `data`, `fPort`, "
            "`variables`.",
            examples=[{"bytes": "0067011004", "fPort": 2}],
        ),
        Storable,
    ]
    expected: Annotated[
        Any,
        Field(
            description="The document, or an object of `data`, `warnings` and `errors`; for "
            "encoding the bytes, or an object of `bytes` and `fPort`."
        ),
        Storable,
    ]

    def to_model(self) -> TestCase:
        """Make the noun."""
        return TestCase(self.name, self.direction, self.input, self.expected)


Cases = Annotated[list[TestCaseBody], Field(max_length=MOST_CASES)]


class TestCaseOut(Out):
    """What must come out for what goes in."""

    __test__ = False

    name: str
    direction: Direction
    input: dict[str, Any]
    expected: Any


class CaseResultOut(Out):
    """How one test case went."""

    name: str
    passed: bool
    difference: Annotated[str, Field(description="The first difference; empty where it passed.")]


class DecoderBody(Body):
    """A new decoder."""

    organization_id: Id
    name: Name
    kind: Annotated[str, Field(description="One of `GET /decoders/kinds`.")] = "javascript"
    script: ScriptText = ""
    description: Text = ""
    shared: Annotated[bool, Field(description="Whether every organization may see and use it.")] = (
        False
    )
    test_cases: Cases = []
    units: Units = {}

    def to_model(self) -> NewDecoder:
        """Make the noun."""
        return NewDecoder(
            self.organization_id,
            self.name,
            self.kind,
            self.script,
            self.description,
            self.shared,
            tuple(case.to_model() for case in self.test_cases),
            self.units,
        )


class DecoderPatch(Body):
    """Fields of a decoder to change (JSON Merge Patch); a new script is a new version."""

    name: Name = ""
    script: ScriptText = ""
    description: Text = ""
    shared: bool = False
    units: UnitsPatch = {}

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        changes = self.given()
        if "script" in changes:
            changes["source"] = changes.pop("script")
        return changes


class DecoderOut(Stamped):
    """A decoder."""

    id: UUID
    organization_id: UUID
    name: str
    kind: str
    description: str
    shared: bool
    units: dict[str, str]
    version: int
    hash: Annotated[str, Field(description="SHA-256 of the script in force.")]


class OverviewOut(DecoderOut):
    """A decoder and how it does, as far as you may see the devices that use it."""

    device_count: int
    failures: Annotated[int, Field(description="Messages it could not do in the last 7 days.")]
    last_failure_at: Instant | None


class DecoderInFullOut(OverviewOut):
    """A decoder with its script."""

    script: str | None


class VersionOut(Out):
    """A script that a decoder has or had."""

    n: int
    hash: str
    current: bool
    created_at: Instant
    created_by: UUID


class VersionInFullOut(VersionOut):
    """A script that a decoder has or had, in full."""

    script: str | None


class CopyBody(Body):
    """Where the copy goes."""

    organization_id: Id
    name: Name | None = None


class RestoreBody(Body):
    """Which version comes into force again."""

    version: VersionNumber


class KindOut(Out):
    """A kind of decoder that is installed."""

    name: str
    needs_script: bool
    encodes: bool
    content_types: Annotated[
        list[str], Field(description="What it reads from devices that have no decoder.")
    ]


class ProblemsOut(Out):
    """What a decoder could not do for one device in the last 30 days; the last problem in full."""

    device_id: UUID
    device_name: str
    count: int
    last_at: Instant
    hash: str | None
    code: str
    message: str
