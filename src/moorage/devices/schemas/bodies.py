"""Devices and credentials as JSON."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    StringConstraints,
    field_validator,
    model_validator,
)

from moorage.kit.http import Body, Duration, Id, Instant, Name, Out, PageOut, Stamped
from moorage.tasks import TaskState

from ..model import (
    Changes,
    Connectivity,
    CredentialKind,
    DeviceKind,
    DeviceState,
    Identifier,
    ImportMode,
    ImportReport,
    Location,
    ManyChanges,
    NewDevice,
    Ownership,
    Platform,
    RowAction,
    Threshold,
    make_identifier,
)

Line = Annotated[str, Field(max_length=100)]
Text = Annotated[str, Field(max_length=4000)]
Serial = Name
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
Value = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^;\s][^;]*$")]


def _once(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(_once)]
Metadata = Annotated[dict[Key, Value], Field(max_length=100)]
Silence = Annotated[Duration, Field(ge=timedelta(seconds=10), le=timedelta(days=3650))]
Kind = Annotated[DeviceKind, Strict(False)]
State = Annotated[DeviceState, Strict(False)]
Owner = Annotated[Ownership, Strict(False)]


class PointBody(Body):
    """A GeoJSON point (RFC 7946): longitude, latitude and perhaps altitude in metres."""

    type: Literal["Point"] = "Point"
    coordinates: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=2, max_length=3)
    ]

    @field_validator("coordinates")
    @classmethod
    def _on_earth(cls, value: list[float]) -> list[float]:
        if not (-180 <= value[0] <= 180 and -90 <= value[1] <= 90):
            raise ValueError("are longitude (-180 to 180), then latitude (-90 to 90)")
        return value

    def to_model(self) -> Location:
        """Make the noun."""
        return Location(*self.coordinates)


class IdentifierBody(Body):
    """What a network or a label calls the device."""

    kind: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]{0,31}$", examples=["devEui"])]
    value: Annotated[str, Field(min_length=1, max_length=200)]
    network: Annotated[str, Field(max_length=100)] = ""

    @model_validator(mode="after")
    def _well_formed(self) -> IdentifierBody:
        self.to_model()
        return self

    def to_model(self) -> Identifier:
        """Make the noun."""
        return make_identifier(self.kind, self.value, self.network)


class ThresholdBody(Body):
    """Limits of one series; crossing one opens a notice."""

    series: Annotated[str, Field(min_length=1, max_length=200)]
    above: Annotated[float | None, Field(allow_inf_nan=False)] = None
    below: Annotated[float | None, Field(allow_inf_nan=False)] = None
    hysteresis: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _some_limit(self) -> ThresholdBody:
        if self.above is None and self.below is None:
            raise ValueError("needs above, below or both")
        return self

    def to_model(self) -> Threshold:
        """Make the noun."""
        return Threshold(**self.model_dump())


Identifiers = Annotated[list[IdentifierBody], Field(max_length=20)]
Thresholds = Annotated[list[ThresholdBody], Field(max_length=50)]


class SharedPatch(Body):
    """Fields to change that several devices may share; null in metadata removes a key."""

    kind: Kind = DeviceKind.OTHER
    manufacturer: Line = ""
    model: Line = ""
    gateway_id: Id | None = None
    place: Annotated[str, Field(max_length=200)] = ""
    comment: Text = ""
    metadata: Annotated[dict[Key, Value | None], Field(max_length=100)] = {}
    owner: Line = ""
    ownership: Owner | None = None
    state: State = DeviceState.ACTIVE
    decoder_id: Id | None = None
    silent_after: Silence | None = None
    thresholds: Thresholds = []

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return {name: _plain(value) for name, value in self.given().items()}


class DevicePatch(SharedPatch):
    """Fields of a device to change (JSON Merge Patch); null in metadata removes a key."""

    name: Name = ""
    serial: Serial | None = None
    identifiers: Identifiers = []
    location: PointBody | None = None
    tags: Tags = []


class AdoptBody(Body):
    """What a sender that waits becomes; whatever is left out stays as it is."""

    name: Name = ""
    kind: Kind = DeviceKind.OTHER
    manufacturer: Line = ""
    model: Line = ""
    serial: Serial | None = None
    location: PointBody | None = None
    place: Annotated[str, Field(max_length=200)] = ""
    metadata: Metadata = {}
    tags: Tags = []
    decoder_id: Id | None = None

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        return {name: _plain(value) for name, value in self.given().items()}


class DeviceBody(Body):
    """A new device."""

    application_id: Id
    name: Name
    kind: Kind = DeviceKind.OTHER
    manufacturer: Line = ""
    model: Line = ""
    serial: Serial | None = None
    identifiers: Identifiers = []
    gateway_id: Id | None = None
    location: PointBody | None = None
    place: Annotated[str, Field(max_length=200)] = ""
    comment: Text = ""
    metadata: Metadata = {}
    tags: Tags = []
    owner: Line = ""
    ownership: Owner | None = None
    state: State = DeviceState.ACTIVE
    decoder_id: Id | None = None
    silent_after: Silence | None = None
    thresholds: Thresholds = []

    def to_model(self) -> NewDevice:
        """Make the noun."""
        fields = {name: _plain(getattr(self, name)) for name in type(self).model_fields}
        return NewDevice(**fields)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return value.to_model() if hasattr(value, "to_model") else value


class OwnerBody(Body):
    """Whose a device becomes."""

    user_id: Annotated[Id, Field(description="Somebody of the device's organization.")]


class MoveBody(Body):
    """Where a device goes."""

    application_id: Id


Chosen = Annotated[
    list[Id],
    Field(max_length=10_000, description="These; left out, those that the query finds."),
]


class ChangeManyBody(Body):
    """What is changed of many devices."""

    device_ids: Chosen = []
    changes: SharedPatch = SharedPatch()
    add_tags: Tags = []
    remove_tags: Tags = []
    reason: Annotated[str, Field(max_length=500, description="Why, where the state changes.")] = ""

    def to_model(self) -> ManyChanges:
        """Make the noun."""
        changes = cast("Changes", self.changes.to_changes())
        return ManyChanges(changes, tuple(self.add_tags), tuple(self.remove_tags), self.reason)


class MoveManyBody(Body):
    """Where many devices go."""

    device_ids: Chosen = []
    application_id: Id


class RemoveManyBody(Body):
    """Which devices are removed, with what they sent."""

    device_ids: Chosen = []


def _point(value: object) -> object:
    if not isinstance(value, Location):
        return value
    place = [value.longitude, value.latitude]
    altitude = [] if value.altitude_m is None else [value.altitude_m]
    return {"type": "Point", "coordinates": place + altitude}


class PointOut(Out):
    """A GeoJSON point (RFC 7946)."""

    type: Literal["Point"] = "Point"
    coordinates: list[float]


class IdentifierOut(Out):
    """What a network or a label calls the device."""

    kind: str
    value: str
    network: str


class ThresholdOut(Out):
    """Limits of one series."""

    series: str
    above: float | None
    below: float | None
    hysteresis: float


class DeviceOut(Stamped):
    """A device."""

    id: UUID
    application_id: UUID
    organization_id: UUID
    gateway_id: UUID | None
    name: str
    kind: DeviceKind
    manufacturer: str
    model: str
    serial: str | None
    identifiers: list[IdentifierOut]
    location: Annotated[PointOut | None, BeforeValidator(_point)]
    place: str
    comment: str
    metadata: dict[str, str]
    tags: list[str]
    owner: str
    ownership: Ownership | None
    owner_id: Annotated[
        UUID | None,
        Field(description="Whose it is: who holds what groups give for one's own devices."),
    ]
    state: DeviceState
    decoder_id: UUID | None
    silent_after: Duration | None
    thresholds: list[ThresholdOut]
    connectivity: Connectivity
    last_seen_at: Instant | None
    silent_since: Instant | None
    photo_at: Instant | None


class DevicePageOut(PageOut[DeviceOut]):
    """A page of devices; with `at`, `removed` of that time have been removed since."""

    removed: int | None = None


class StateChangeOut(Out):
    """One step of a device's life."""

    at: Instant
    state: DeviceState
    reason: str
    by: UUID


class MapClusterOut(Out):
    """Devices near each other; `device` is the only one of a cluster of one."""

    location: PointOut
    count: int
    silent: int
    device: dict[str, str] | None


# --- Credentials --------------------------------------------------------------


_UNGUESSED = re.compile(r"[\x21-\x7e]{16,}")


class CredentialBody(Body):
    """A new credential; the server makes the secret.

    A device that comes from another platform may keep the `secret` it has, and goes on publishing
    to `oldTopic` there: `devices/12/34/56` of OS2iot, `tenant/type/id` of WSO2.
    """

    kind: Annotated[CredentialKind, Strict(False)] = CredentialKind.KEY
    label: Line = ""
    user_name: Annotated[
        str | None, Field(min_length=1, max_length=128, pattern=r"^[^\s:/+#]+$")
    ] = None
    expires_at: Instant | None = None
    platform: Annotated[Platform | None, Strict(False)] = None
    secret: Annotated[str | None, Field(min_length=1, max_length=4096)] = None
    old_topic: Annotated[
        str | None, Field(max_length=256, pattern=r"^[^\s/+#$]+(/[^\s/+#]+){2,3}$")
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> CredentialBody:
        if self.kind is CredentialKind.CERTIFICATE:
            raise ValueError("a certificate is added at /certificates")
        if self.user_name is not None and self.kind is not CredentialKind.PASSWORD:
            raise ValueError("only a password has a user name")
        if self.platform is None and (self.secret or self.old_topic) is not None:
            raise ValueError("secret and oldTopic are for devices of another platform")
        # A key is all that its device says, so it must not be guessed; a password has a name.
        if self.kind is CredentialKind.KEY and not _UNGUESSED.fullmatch(self.secret or "-" * 16):
            raise ValueError("a key has 16 or more characters of ASCII, and no spaces")
        if self.old_topic is not None and not self._is_of_platform(self.old_topic):
            raise ValueError("oldTopic is devices/12/34/56 of OS2iot, tenant/type/id of WSO2")
        return self

    def _is_of_platform(self, topic: str) -> bool:
        levels = topic.split("/")
        if self.platform is Platform.OS2IOT:
            return len(levels) == 4 and levels[0] == "devices"
        return len(levels) == 3 and levels[0] not in ("v1", "devices")


class RotateBody(Body):
    """Which credential gets a new secret, and how long the old one lives on."""

    credential_id: Id
    overlap: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=90))] = timedelta(0)


class CredentialOut(Stamped):
    """What is known of a credential after it was shown."""

    id: UUID
    device_id: UUID
    kind: CredentialKind
    label: str
    user_name: str | None
    hint: str
    previous_until: Instant | None
    expires_at: Instant | None
    platform: Platform | None
    old_topic: str | None
    authority_id: UUID | None
    revoked_at: Instant | None


class InboxOut(Stamped):
    """What is known of an inbox key after it was shown."""

    application_id: UUID
    organization_id: UUID
    hint: str


class TemplateOut(Out):
    """A ready command or piece of code."""

    id: str
    title: str
    language: str
    text: str


class ShownInboxKeyOut(Out):
    """An inbox key, shown this once, and how to use it."""

    inbox: InboxOut
    secret: str
    templates: list[TemplateOut]


class ShownClaimOut(Out):
    """A one-time link by which a phone becomes a device, shown this once."""

    token: str
    url: str
    expires_at: Instant


class ClaimBody(Body):
    """A claim's token, and what the device shall be called."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    name: Name


class ClaimedOut(Out):
    """What a claim made: a device, and its key, shown this once."""

    device_id: UUID
    name: str
    secret: str


class ConnectOut(Out):
    """How a device connects."""

    host: str
    http_url: str
    mqtt_port: int
    mqtt_tls_port: int
    user_name: str
    topics: dict[str, str]
    templates: list[TemplateOut]


class ShownSecretOut(Out):
    """A credential with its secret, shown this once, and how to use it."""

    credential: CredentialOut
    secret: str
    connect: ConnectOut


# --- Import -------------------------------------------------------------------


class ImportProblemOut(Out):
    """Why a row cannot be taken."""

    code: str
    detail: str
    column: str | None


class RowTarget(Body):
    """Which device a row changes, and where that belongs."""

    id: Id
    application_id: Id | None = None


class RowResultOut(Out):
    """What became, or would become, of one row."""

    line: int
    action: RowAction
    device_id: UUID | None
    name: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    problem: ImportProblemOut | None


class ImportReportOut(Out):
    """What became of an import."""

    preview: bool
    applied: bool
    created: int
    updated: int
    unchanged: int
    failed: int
    rows: list[RowResultOut]

    @classmethod
    def of(cls, report: ImportReport) -> ImportReportOut:
        """Count and copy a report."""
        return cls(
            preview=report.preview,
            applied=report.applied,
            created=report.count(RowAction.CREATE),
            updated=report.count(RowAction.UPDATE),
            unchanged=report.count(RowAction.UNCHANGED),
            failed=report.count(RowAction.ERROR),
            rows=[RowResultOut.model_validate(row) for row in report.rows],
        )


class ManyDevicesOut(Stamped):
    """A task on many devices, as `/tasks` shows it; its `/rows` tell what became of each.

    `result` counts devices that were `created`, `updated`, `unchanged`, `removed` and `failed`.
    """

    id: UUID
    kind: str
    subject_id: UUID
    organization_id: UUID
    application_id: UUID | None
    state: TaskState
    done: int
    total: int | None
    result: dict[str, Any] | None
    code: str | None
    problem: str | None
    finished_at: Instant | None


ImportModeIn = Annotated[ImportMode, Strict(False)]
