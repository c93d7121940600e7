"""Bodies of the operations' routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, Strict, field_validator

from moorage.kit.errors import MoorageError
from moorage.kit.http import Body, Duration, Id, Instant, Out, Stamped

from .errors import EncodingFailed
from .model import NewOperation, Operation, OperationKind, OperationState


def _hex(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


HexBytes = Annotated[str, BeforeValidator(_hex)]
Kind = Annotated[OperationKind, Strict(False)]


class OperationBody(Body):
    """Something asked of a device."""

    code: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$",
            description="The device's own word for it.",
            examples=["reboot"],
        ),
    ]
    payload: Any = None
    kind: Kind = OperationKind.COMMAND
    expires_in: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=365))] = (
        timedelta(days=1)
    )
    answer_within: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=30))] = (
        timedelta(minutes=5)
    )

    port: Annotated[
        int | None,
        Field(ge=0, le=255, description="The port of a small radio network it is meant for."),
    ] = None
    encode: Annotated[
        bool | None,
        Field(
            description="Whether the device's decoder encodes it, where it can. If not, it goes "
            "down as JSON. Null does as the application says."
        ),
    ] = None

    def to_model(self) -> NewOperation:
        """Make the noun."""
        return NewOperation(
            self.code, self.payload, self.kind, self.expires_in, self.answer_within, self.port,
            self.encode,
        )  # fmt: skip


class ManyBody(OperationBody):
    """The same asked of several devices."""

    device_ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]

    @field_validator("device_ids")
    @classmethod
    def _each_once(cls, device_ids: list[UUID]) -> list[UUID]:
        if len(set(device_ids)) < len(device_ids):
            raise ValueError("names a device twice")
        return device_ids


class OperationOut(Stamped):
    """One operation to one device."""

    id: UUID
    device_id: UUID
    application_id: UUID
    organization_id: UUID
    kind: OperationKind
    code: str
    payload: Any
    state: OperationState
    attempts: int
    expires_at: Instant
    answer_within: Duration
    sent_at: Instant | None
    delivered_at: Instant | None
    finished_at: Instant | None
    result: Any
    problem: str | None
    port: int | None
    bytes: Annotated[
        HexBytes | None,
        Field(
            validation_alias="encoded",
            description="What the device is sent, in hex, as its decoder encoded it; null for "
            "JSON.",
        ),
    ]
    decoder_id: UUID | None
    decoder_hash: Annotated[
        str | None, Field(description="SHA-256 of the decoder's script that encoded it.")
    ]


class PreviewOut(Out):
    """What a device would be sent; neither `bytes` nor `problem` means JSON."""

    bytes: Annotated[HexBytes | None, Field(validation_alias="payload", description="In hex.")]
    port: int | None
    decoder_id: UUID | None
    decoder_hash: str | None
    problem: Annotated[str | None, Field(description="Why the decoder cannot encode it.")]
    warnings: list[str]


class IssuedOut(Out):
    """What came of a command to one of several devices."""

    device_id: UUID
    operation_id: UUID | None
    state: Annotated[
        OperationState | None, Field(description="`error`: its decoder could not encode it.")
    ]
    code: Annotated[str | None, Field(description="Why the device was sent nothing.")]
    problem: Annotated[str | None, Field(description="The same in words.")]

    @classmethod
    def of(cls, device_id: UUID, outcome: Operation | MoorageError) -> Self:
        """Show an outcome."""
        if isinstance(outcome, MoorageError):
            return cls(
                device_id=device_id, operation_id=None, state=None, code=outcome.code,
                problem=str(outcome),
            )  # fmt: skip
        failed = outcome.state is OperationState.ERROR
        return cls(
            device_id=device_id, operation_id=outcome.id, state=outcome.state,
            code=EncodingFailed.code if failed else None, problem=outcome.problem,
        )  # fmt: skip
