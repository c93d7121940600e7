"""The whole configuration, composed, read once from the environment and an optional TOML file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

import moorage
from moorage.kit.client_certificates import HEADER
from moorage.kit.outbound import LOOPBACK
from moorage.kit.settings import LIVE, Loaded, Section, SettingInvalid, load
from moorage.kit.smtp import Server
from moorage.sections import (
    AuditSettings,
    DecisionSettings,
    IngestSettings,
    LedgerSettings,
    MailSettings,
    TargetSettings,
)

FILE_NAME = "moorage.toml"
Port = Annotated[int, Field(ge=1, le=65535)]
Directory = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


def default_data_directory() -> Path:
    """Give `.data` of a source checkout, else a directory of the user's."""
    checkout = Path(moorage.__file__).parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "src" / "moorage").is_dir():
        return checkout / ".data"
    return Path("~/.local/share/moorage").expanduser()


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("write it as https://iot.example.org")
    return url.rstrip("/")


def _collector(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write it as http://127.0.0.1:4318")
    return url


def _header(name: str) -> str:
    # So that it is none that means something else.
    if not re.fullmatch(r"[a-z][a-z0-9-]*cert[a-z0-9-]*", name, re.IGNORECASE) or len(name) > 64:
        raise ValueError(f"write the name of a header that has `cert` in it, as {HEADER}")
    return name


def _networks(texts: list[str]) -> list[str]:
    try:
        return [str(ip_network(text, strict=False)) for text in texts]
    except ValueError as wrong:
        raise ValueError(f"write addresses or networks, as 10.0.0.0/8: {wrong}") from wrong


class ApiSettings(Section):
    """The console and the API."""

    host: str = Field(
        default="127.0.0.1",
        description="address the console and API listen on; several are divided by commas",
    )
    port: Port = Field(default=8080, description="port of the console and API")
    trusted_proxies: Annotated[list[str], AfterValidator(_networks)] = Field(
        default=[],
        description="addresses and networks of reverse proxies, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed",
    )
    client_certificates: bool = Field(
        default=False,
        description="believe the trusted proxies which certificate a client has proved to hold",
    )
    client_certificate_header: Annotated[str, AfterValidator(_header)] = Field(
        default=HEADER,
        description="header in which they pass it on; best one that clients cannot guess",
    )

    @model_validator(mode="after")
    def _from_somebody(self) -> ApiSettings:
        if self.client_certificates and not self.trusted_proxies:
            raise ValueError("name the proxies that pass certificates on in api.trusted_proxies")
        if self.client_certificates and any(one.endswith("/0") for one in self.trusted_proxies):
            raise ValueError("name single proxies: not everybody may say whose certificate it saw")
        return self


class MqttSettings(Section):
    """The MQTT door."""

    host: str = Field(
        default="127.0.0.1",
        description="address of MQTT without encryption; several are divided by commas",
    )
    port: Port = Field(default=1883, description="port of MQTT without encryption")
    tls_host: str = Field(
        default="127.0.0.1",
        description="address of MQTT over TLS; several are divided by commas",
    )
    tls_port: Port = Field(default=8883, description="port of MQTT over TLS")
    peer_host: str = Field(
        default="127.0.0.1",
        description="address of this machine at which other listeners reach this one; not 0.0.0.0",
    )
    peer_port: int = Field(
        default=0, ge=0, le=65535, description="port at that address; 0 takes a free one"
    )
    trusted_proxies: Annotated[list[str], AfterValidator(_networks)] = Field(
        default=[],
        description="addresses and networks of proxies in front of both ports, which begin each "
        "connection with a PROXY protocol header (version 1 or 2)",
    )
    lab_websocket_port: Port = Field(
        default=8083,
        description="port of MQTT over WebSocket in lab mode; elsewhere it is understood on port",
    )
    lab_copies: Literal["one", "each"] = Field(
        default="one",
        description="what a client gets in lab mode of a message that several of its filters "
        "match: one copy, or each filter's own",
    )


class TlsSettings(Section):
    """The certificate of the doors; made by the platform unless given."""

    certificate: Directory | None = Field(
        default=None, description="PEM file: certificate and chain"
    )
    key: Directory | None = Field(default=None, description="PEM file: private key")
    authority: Directory | None = Field(
        default=None, description="PEM file: the authority that devices trust"
    )

    @model_validator(mode="after")
    def _whole(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together or not at all")
        return self


class PostgresSettings(Section):
    """The embedded database."""

    options: dict[str, str] = Field(
        default_factory=dict,
        description="parameters of the embedded PostgreSQL that win over ours",
    )


class DiskSettings(Section):
    """What happens as the disk fills."""

    warn_share: float = Field(
        default=0.85,
        gt=0,
        le=1,
        description="used share of the disk at which administrators are told",
        json_schema_extra=LIVE,
    )
    refuse_share: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="used share of the disk at which telemetry is refused",
        json_schema_extra=LIVE,
    )


class TracingSettings(Section):
    """Traces (OpenTelemetry)."""

    endpoint: Annotated[str, AfterValidator(_collector)] | None = Field(
        default=None,
        description="base URL of a collector that takes OTLP over HTTP; unset: no traces",
    )
    share: float = Field(
        default=0.05, ge=0, le=1, description="share of the traces begun here that are sent"
    )


class OauthSettings(Section):
    """Programs of others."""

    password_grant: bool = Field(
        default=False,
        description="let programs that are made for it show people's names and passwords "
        "(`grant_type=password`); for old agents that can do no other",
    )


class Settings(Section):
    """Everything that is read at start."""

    data_dir: Directory = Field(
        default_factory=default_data_directory,
        description="directory of everything the installation keeps",
    )
    database_url: SecretStr | None = Field(
        default=None, description="an outside PostgreSQL 15 or newer instead of the embedded one"
    )
    root_key: SecretStr | None = Field(
        default=None,
        description="the key that seals all others, base64 of 32 bytes, instead of its file",
    )
    root_key_command: str | None = Field(
        default=None, description="command that prints the root key, instead of its file"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged", json_schema_extra=LIVE
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="worker processes that `moorage run` starts"
    )
    api: ApiSettings = ApiSettings()
    public_url: Annotated[str, AfterValidator(_web_address)] = Field(
        default_factory=lambda data: f"http://localhost:{data['api'].port}",
        description="address under which people and devices reach the platform",
    )
    mqtt: MqttSettings = MqttSettings()
    tls: TlsSettings = TlsSettings()
    postgres: PostgresSettings = PostgresSettings()
    disk: DiskSettings = DiskSettings()
    ledger: LedgerSettings = LedgerSettings()
    ingest: IngestSettings = IngestSettings()
    targets: TargetSettings = TargetSettings()
    mail: MailSettings = MailSettings()
    decisions: DecisionSettings = DecisionSettings()
    oauth: OauthSettings = OauthSettings()
    audit: AuditSettings = AuditSettings()
    tracing: TracingSettings = TracingSettings()

    @property
    def reachable(self) -> tuple[str, ...]:
        """What data targets may reach beyond public addresses."""
        if self.targets.allowed is not None:
            return tuple(self.targets.allowed)
        return LOOPBACK if self.host_name in ("localhost", "127.0.0.1", "::1") else ()

    @property
    def mail_server(self) -> Server | None:
        """The server that takes our mail, if there is one."""
        if self.mail.host is None:
            return None
        return Server(**self.mail.model_dump())

    @property
    def host_name(self) -> str:
        """Name or address under which the platform is reached, without scheme and port."""
        return urlsplit(self.public_url).hostname or "localhost"


def reachable_host(hosts: str) -> str:
    """Give the address by which this machine itself reaches a door that listens on `hosts`."""
    first = hosts.split(",", maxsplit=1)[0]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)


def read(
    environment: Mapping[str, str] | None = None, options: Mapping[str, object] | None = None
) -> Loaded[Settings]:
    """Read the settings of this process.

    Args:
        environment: the process's own when None.
        options: from the command line, by dotted name; None means not given.

    Raises:
        SettingUnknown: a variable or key does not exist.
        SettingInvalid: a value cannot be used.
        SettingsFileUnreadable: the file is missing or is not TOML.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (options or {}).items() if value is not None}
    chosen: Any = given.get("data_dir") or environment.get("MOORAGE_DATA_DIR")
    data_dir = Path(chosen).expanduser().absolute() if chosen else default_data_directory()
    file = file_of(data_dir, environment)
    if environment.get("MOORAGE_CONFIG"):
        return load(Settings, environment=environment, file=file, options=given)
    if not file.is_file():
        return load(Settings, environment=environment, options=given)
    read_file(data_dir, file)
    return load(Settings, environment=environment, file=file, options=given)


def file_of(data_dir: Path, environment: Mapping[str, str]) -> Path:
    """Give the place of the TOML file, which need not be there."""
    return Path(environment.get("MOORAGE_CONFIG") or data_dir / FILE_NAME)


def read_file(data_dir: Path, file: Path) -> Loaded[Settings]:
    """Read what stands in the file alone.

    Raises:
        SettingUnknown, SettingInvalid, SettingsFileUnreadable: it is wrong, or moves the directory
            that it lies in.
    """
    if not file.is_file():
        return load(Settings, environment={}, options={"data_dir": data_dir})
    found = load(Settings, environment={}, file=file)
    if "data_dir" in found.origins and file == data_dir / FILE_NAME:
        raise SettingInvalid(
            name="data_dir",
            where=str(file),
            reason="cannot be moved by a file that lies in the data directory; "
            "set MOORAGE_DATA_DIR or MOORAGE_CONFIG",
        )
    return found
