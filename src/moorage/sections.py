"""The sections of the configuration that slices read, apart from the slices themselves.

A command reads the whole configuration and seldom needs the platform behind it, which takes most of
a second to load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

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
    device_queue_messages: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="messages of QoS 1 and 2 that may wait for one MQTT session",
        json_schema_extra=LIVE,
    )
    device_queue_bytes: int = Field(
        default=524_288,
        ge=1_024,
        le=268_435_456,
        description="bytes that those may take",
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


def _sender(text: str) -> str:
    # With the name or without: `Moorage <moorage@example.org>`.
    address = text.rpartition("<")[2].rstrip(">").strip()
    name, at, domain = address.partition("@")
    if not (name and at and domain) or any(c.isspace() or c in ",;<>@" for c in name + domain):
        raise ValueError("write it as Moorage <moorage@example.org>")
    return text


def _decision_point(url: str) -> str:
    parts = urlsplit(url)
    is_near = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("write it as https://decisions.example.org/pdp")
    if parts.scheme == "http" and not is_near:
        raise ValueError("what permits everything is asked over https, but on this machine")
    return url


class DecisionSettings(Section):
    """An external policy decision point (XACML 3.0), asked besides the rights given here."""

    url: Annotated[str, AfterValidator(_decision_point)] | None = Field(
        default=None,
        description="where it takes questions in the JSON profile of XACML 3.0; unset: none is "
        "asked. What it does not permit is refused",
    )
    authorization: SecretStr | None = Field(
        default=None, description="header Authorization it wants, such as Bearer or Basic"
    )
    authority: Path | None = Field(
        default=None,
        description="PEM file: the authority that signed its certificate, instead of the system's",
    )
    timeout_s: float = Field(
        default=2, gt=0, le=10, description="seconds to wait for it; then nothing is permitted"
    )
    keep_s: float = Field(
        default=1, ge=0, le=60, description="seconds that a decision is kept and not asked again"
    )


class MailSettings(Section):
    """The server that takes our mail."""

    host: str | None = Field(
        default=None, description="host of the SMTP server; unset: no mail is sent"
    )
    port: int = Field(default=587, ge=1, le=65535, description="port of the SMTP server")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="encryption: starttls (587), tls from the first byte (465), or none, for a "
        "relay on this machine; it never falls back",
    )
    authority: Path | None = Field(
        default=None,
        description="PEM file: the authority that signed the server's certificate, instead of the "
        "system's",
    )
    user: str | None = Field(default=None, description="user name at the SMTP server")
    password: SecretStr | None = Field(default=None, description="password at the SMTP server")
    sender: Annotated[str, AfterValidator(_sender)] | None = Field(
        default=None, description="from whom mail comes, such as Moorage <moorage@example.org>"
    )
    timeout_s: float = Field(
        default=20, gt=0, le=60, description="seconds to wait for each of the server's answers"
    )

    @model_validator(mode="after")
    def _whole(self) -> MailSettings:
        if self.host is not None and self.sender is None:
            raise ValueError("mail.host needs mail.sender")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password are given together or not at all")
        if self.user is not None and self.security == "none":
            raise ValueError("a password is sent over starttls or tls only")
        return self
