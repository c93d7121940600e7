"""The sections of the configuration that slices read, apart from the slices themselves.

A command reads the whole configuration and seldom needs the platform behind it, which takes most of
a second to load.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from moorage.kit.settings import LIVE, Section


class IngestSettings(Section):
    """Limits at the doors."""

    largest_message: int = Field(
        default=262_144, ge=1_024, le=16_777_216, description="largest message, in bytes"
    )
    largest_batch: int = Field(
        default=8_388_608, ge=1_024, le=67_108_864, description="largest HTTP body, in bytes"
    )
    device_rate: float = Field(
        default=200,
        gt=0,
        description="messages a second that one device may send on average",
        json_schema_extra=LIVE,
    )
    device_burst: float = Field(
        default=2_000,
        ge=1,
        description="messages that one device may send at once",
        json_schema_extra=LIVE,
    )
    device_bytes: float = Field(
        default=1_048_576,
        ge=1_024,
        description="bytes a second that one device may send on average; ten times as many at once",
        json_schema_extra=LIVE,
    )
    device_connects: int = Field(
        default=120,
        ge=1,
        description="times a minute that one device may connect over MQTT",
        json_schema_extra=LIVE,
    )
    device_connections: int = Field(
        default=50,
        ge=1,
        description="connections that one device may have at one listener",
        json_schema_extra=LIVE,
    )


class LedgerSettings(Section):
    """The ledger of every message."""

    partitions: int = Field(
        default=1,
        ge=1,
        le=64,
        description="partitions of the ledger, at most one worker each; fixed at the first start",
    )


class AuditSettings(Section):
    """Where signed words on the audit go."""

    checkpoint_dir: Path | None = Field(
        default=None,
        description="directory, better on another machine, into which each checkpoint of the audit "
        "is written as a file",
    )


class TargetSettings(Section):
    """What data targets may reach."""

    allowed: list[str] | None = Field(
        default=None,
        description="hosts, *.names and networks that targets may reach beyond public addresses; "
        "unset: this machine itself while public_url is localhost, else none",
        json_schema_extra=LIVE,
    )
