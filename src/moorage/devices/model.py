"""Devices: what is out there, whose it is, and how it proves who it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from moorage.kit.caller import Reach
from moorage.kit.pages import Page
from moorage.kit.secrets import Scram


class DeviceKind(StrEnum):
    """What a device is, by how it talks or what it is for."""

    HTTP = "http"
    MQTT = "mqtt"
    LORAWAN = "lorawan"
    SIGFOX = "sigfox"
    NB_IOT = "nbIot"
    COAP = "coap"
    XMPP = "xmpp"
    GATEWAY = "gateway"
    PHONE = "phone"
    TABLET = "tablet"
    COMPUTER = "computer"
    OTHER = "other"


class DeviceState(StrEnum):
    """Where a device is in its life; one that waits is in the inbox and nobody's yet."""

    WAITING = "waiting"
    PLANNED = "planned"
    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    SUSPENDED = "suspended"
    LOST = "lost"
    RETIRED = "retired"


# Which state may follow which. A retired device can only be taken back into planning.
NEXT_STATES: Mapping[DeviceState, frozenset[DeviceState]] = {
    DeviceState.WAITING: frozenset({DeviceState.ACTIVE}),
    DeviceState.PLANNED: frozenset({DeviceState.ACTIVE, DeviceState.RETIRED}),
    DeviceState.ACTIVE: frozenset(
        {
            DeviceState.MAINTENANCE,
            DeviceState.SUSPENDED,
            DeviceState.LOST,
            DeviceState.RETIRED,
        }
    ),
    DeviceState.MAINTENANCE: frozenset(
        {DeviceState.ACTIVE, DeviceState.SUSPENDED, DeviceState.LOST, DeviceState.RETIRED}
    ),
    DeviceState.SUSPENDED: frozenset(
        {DeviceState.ACTIVE, DeviceState.MAINTENANCE, DeviceState.LOST, DeviceState.RETIRED}
    ),
    DeviceState.LOST: frozenset({DeviceState.ACTIVE, DeviceState.SUSPENDED, DeviceState.RETIRED}),
    DeviceState.RETIRED: frozenset({DeviceState.PLANNED}),
}

# Devices in these states are let in by the doors and can be sent to. One that waits is heard only.
SENDING = frozenset(
    {DeviceState.PLANNED, DeviceState.ACTIVE, DeviceState.MAINTENANCE, DeviceState.LOST}
)


class Ownership(StrEnum):
    """Whose a device is in the sense of mobile device management."""

    BYOD = "byod"
    COPE = "cope"
    CORPORATE = "corporate"
    DEDICATED = "dedicated"


class Connectivity(StrEnum):
    """What the last contacts say of a device."""

    NEVER_SEEN = "neverSeen"
    CONNECTED = "connected"
    SEEN = "seen"
    SILENT = "silent"


class CredentialKind(StrEnum):
    """How a secret is shown at a door."""

    KEY = "key"
    PASSWORD = "password"  # noqa: S105
    CERTIFICATE = "certificate"


class Platform(StrEnum):
    """Where a device comes from that goes on with its old secret, topics and URLs."""

    OS2IOT = "os2iot"
    WSO2 = "wso2"


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a network or a label calls a device.

    `network` names the network the value is unique in; empty for kinds unique by themselves
    (`devEui`, `mac`, `imei`).
    """

    kind: str
    value: str
    network: str = ""


_KNOWN_KINDS: Mapping[str, tuple[str, str]] = {
    "devEui": (r"[0-9a-f]{16}", "16 hexadecimal digits"),
    "joinEui": (r"[0-9a-f]{16}", "16 hexadecimal digits"),
    "gatewayEui": (r"[0-9a-f]{16}", "16 hexadecimal digits"),
    "mac": (r"[0-9a-f]{12}", "12 hexadecimal digits"),
    "sigfoxId": (r"[0-9a-f]{1,8}", "up to 8 hexadecimal digits"),
    "imei": (r"[0-9]{14,16}", "14 to 16 digits"),
    "imsi": (r"[0-9]{6,15}", "6 to 15 digits"),
    "iccid": (r"[0-9]{18,22}", "18 to 22 digits"),
}


# The identifier by which an inbox knows who sends; its network is the inbox's application.
SENDER = "sender"
# The identifier by which LoRaWAN servers call a device.
DEV_EUI = "devEui"


def make_identifier(kind: str, value: str, network: str = "") -> Identifier:
    """Bring an identifier into the one form it is kept and looked up in.

    Numbers of the kinds known here lose their case and separators (`00-80-E1` is `0080e1`); others
    only surrounding space.

    Raises:
        ValueError: the value cannot be of this kind; the text says what is wanted.
    """
    value = value.strip()
    if kind in _KNOWN_KINDS:
        pattern, wanted = _KNOWN_KINDS[kind]
        value = re.sub(r"[\s:.-]", "", value).lower()
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"a {kind} has {wanted}")
    if not 1 <= len(value) <= 200:
        raise ValueError("has 1 to 200 characters")
    return Identifier(kind, value, network.strip())


@dataclass(frozen=True, slots=True)
class Location:
    """A WGS84 point; altitude in metres above the ellipsoid."""

    longitude: float
    latitude: float
    altitude_m: float | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits of one series; crossing one opens a notice.

    A standing notice clears only when the value is back by `hysteresis`, so that a value at the
    limit does not open and clear with every message.
    """

    series: str
    above: float | None = None
    below: float | None = None
    hysteresis: float = 0.0


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What enrols a device."""

    application_id: UUID
    name: str
    kind: DeviceKind = DeviceKind.OTHER
    manufacturer: str = ""
    model: str = ""
    serial: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    gateway_id: UUID | None = None
    location: Location | None = None
    place: str = ""
    comment: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    owner: str = ""
    ownership: Ownership | None = None
    state: DeviceState = DeviceState.ACTIVE
    decoder_id: UUID | None = None
    silent_after: timedelta | None = None
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A slot: it owns history, rights and topics, whichever unit is bound to it."""

    id: UUID
    number: int
    application_id: UUID
    organization_id: UUID
    gateway_id: UUID | None
    name: str
    kind: DeviceKind
    manufacturer: str
    model: str
    serial: str | None
    identifiers: tuple[Identifier, ...]
    location: Location | None
    place: str
    comment: str
    metadata: Mapping[str, str]
    tags: tuple[str, ...]
    owner: str
    ownership: Ownership | None
    owner_id: UUID | None
    state: DeviceState
    decoder_id: UUID | None
    silent_after: timedelta | None
    thresholds: tuple[Threshold, ...]
    connectivity: Connectivity
    last_seen_at: datetime | None
    silent_since: datetime | None
    photo_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID

    @property
    def scope(self) -> tuple[UUID, UUID, UUID | None]:
        """Where and whose it is: what rights to it are asked by."""
        return self.organization_id, self.application_id, self.owner_id


@dataclass(frozen=True, slots=True)
class MapBox:
    """A part of the map, in degrees; west > east crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Circle:
    """What lies within some metres of a point, in degrees."""

    longitude: float
    latitude: float
    metres: float


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """What a list of devices is narrowed by; all given parts must hold, at the instant `at`."""

    ids: tuple[UUID, ...] = ()
    organization_id: UUID | None = None
    application_ids: tuple[UUID, ...] = ()
    states: tuple[DeviceState, ...] = ()
    kinds: tuple[DeviceKind, ...] = ()
    connectivity: Connectivity | None = None
    tags: tuple[str, ...] = ()
    ownership: Ownership | None = None
    owner_id: UUID | None = None
    gateway_id: UUID | None = None
    decoder_id: UUID | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    located: bool | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    owner: str | None = None
    seen_from: datetime | None = None
    seen_to: datetime | None = None
    box: MapBox | None = None
    near: Circle | None = None
    q: str | None = None
    at: datetime | None = None

    @property
    def asks_of_contact(self) -> bool:
        """Tell whether it takes the last contact to answer."""
        return any(one is not None for one in (self.connectivity, self.seen_from, self.seen_to))

    @property
    def asks_of_place(self) -> bool:
        """Tell whether it takes the location to answer."""
        return any(one is not None for one in (self.located, self.box, self.near))


@dataclass(frozen=True, slots=True)
class Named:
    """A device the caller sees, by the message path's number and by name."""

    id: UUID
    number: int
    name: str
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class StateChange:
    """One step of a device's life."""

    at: datetime
    state: DeviceState
    reason: str
    by: UUID


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose devices a caller may see: where, and in which application under which organisation.

    The second is for devices as they were, when an application may have been another's.
    """

    reach: Reach
    places: frozenset[tuple[UUID, UUID]]


@dataclass(frozen=True, slots=True)
class DevicePage(Page[Device]):
    """A page of devices; of an instant gone by, with the number that have been removed since."""

    removed: int | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What is known of a secret after it was shown: never the secret itself.

    Attributes:
        hint: the last characters of a secret; of a certificate its SHA-256 fingerprint, in hex.
        authority_id: who signed a certificate that came by itself; None if somebody added it.
        revoked_at: since when a certificate lets in no more; other kinds are removed instead.
    """

    id: UUID
    device_id: UUID
    kind: CredentialKind
    label: str
    user_name: str | None
    hint: str
    version: int
    previous_until: datetime | None
    expires_at: datetime | None
    platform: Platform | None
    old_topic: str | None
    authority_id: UUID | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class DeviceAuthority:
    """Who signs certificates of an organisation's devices.

    Attributes:
        subject: its distinguished name, as RFC 4514 writes it.
        certificate: its own, in DER.
        expires_at: until when it, and all that it signed, lets in.
        list_url: where its list of revoked certificates is fetched; None where it is uploaded.
        list_number, list_issued_at, list_next_at: of the list that is known, if there is one.
        list_looked_at: when it was fetched or uploaded last.
        list_problem: why that could not be taken; empty if it could.
    """

    id: UUID
    organization_id: UUID
    name: str
    subject: str
    certificate: bytes
    expires_at: datetime
    list_url: str | None
    list_number: Decimal | None
    list_issued_at: datetime | None
    list_next_at: datetime | None
    list_looked_at: datetime | None
    list_problem: str | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class KnownList:
    """An authority, and how many certificates its list says it has revoked."""

    authority: DeviceAuthority
    revoked: int


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """A credential with its secret, this one time."""

    credential: Credential
    secret: str


# Stands for the id of an operation in the topic of a rule.
OPERATION_PLACE = "{operationId}"


@dataclass(frozen=True, slots=True)
class TopicRight:
    """A topic filter that one device may use, its places filled.

    Attributes:
        topic: as MQTT writes filters.
        publish, subscribe: what it may do there.
        channel: what it publishes there is its message of this channel; None if it is only passed
            on to whoever may subscribe.
        rule_id: where it comes from.
        operations: the topic of one operation, with `{operationId}` for its id: what it subscribes
            to there are its commands, what it publishes there are its answers. None if it is about
            no operations.
    """

    topic: str
    publish: bool
    subscribe: bool
    channel: str | None
    rule_id: UUID
    operations: str | None = None

    def topic_of(self, operation_id: str) -> str:
        """Give the topic of an operation."""
        return (self.operations or "").replace(OPERATION_PLACE, operation_id)

    def operation_in(self, topic: str) -> str:
        """Give the id of the operation that a topic, which the right covers, is about."""
        at = (self.operations or "").split("/").index(OPERATION_PLACE)
        return topic.split("/")[at]


@dataclass(frozen=True, slots=True)
class NewTopicRule:
    """What lets devices of an application use topics beyond their own.

    Attributes:
        topic: a topic filter with places (`PLACES`), such as `plant/{serial}/state`.
        device_id, device_kind, model: for whom; None means all.
        publish, subscribe, channel: as in `TopicRight`.
    """

    topic: str
    publish: bool = False
    subscribe: bool = False
    channel: str | None = None
    device_id: UUID | None = None
    device_kind: DeviceKind | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class TopicRule:
    """A rule about topics of an application."""

    id: UUID
    application_id: UUID
    organization_id: UUID
    device_id: UUID | None
    device_kind: DeviceKind | None
    model: str | None
    topic: str
    publish: bool
    subscribe: bool
    channel: str | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class Sender:
    """A device that proved who it is, as the doors hold it.

    Attributes:
        number: the device in the message path; no API shows it.
        device_id: the slot.
        credential_id: what it proved itself with.
        version: of the credential; grows with each rotation.
        state: the doors let in only some (`may_send`).
        is_gateway: it may speak for the devices behind it (see `children_of`).
        valid_until: when the secret shown stops working by itself; None for never.
        platform, old_topic: where it comes from, and how it is called there.
        topics: what it may use beyond its own topics.
    """

    number: int
    device_id: UUID
    organization_id: UUID
    application_id: UUID
    credential_id: UUID
    version: int
    state: DeviceState = DeviceState.ACTIVE
    is_gateway: bool = False
    valid_until: datetime | None = None
    platform: Platform | None = None
    old_topic: str = ""
    topics: tuple[TopicRight, ...] = ()

    @property
    def may_send(self) -> bool:
        """Tell whether the doors let it in, by its lifecycle state."""
        return self.state in SENDING or self.state is DeviceState.WAITING


@dataclass(frozen=True, slots=True)
class Proof:
    """What a password is proved by, without anybody telling it.

    Attributes:
        user_name: as the client gave it.
        credential_id: whose password it is; None of a decoy.
        version: of the credential; grows with each rotation.
    """

    user_name: str
    credential_id: UUID | None
    version: int
    scram: Scram


@dataclass(frozen=True, slots=True)
class Certified:
    """Whose a client's certificate is.

    Attributes:
        sender: the device, if the certificate belongs to one.
        refusal: why it lets nobody in, as the rest of a sentence; empty if it does.
    """

    sender: Sender | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class NamedDevice:
    """A device that may sign in by a user name, as files of brokers have it.

    Attributes:
        mosquitto_hash: of its password.
        children: the devices behind it, if it is a gateway.
    """

    user_name: str
    mosquitto_hash: str
    device_id: UUID
    children: tuple[UUID, ...] = ()


class CalledBy(StrEnum):
    """What of a device others call it by."""

    ID = "id"
    NAME = "name"
    SERIAL = "serial"
    USER_NAME = "userName"
    IDENTIFIER = "identifier"


@dataclass(frozen=True, slots=True)
class Naming:
    """How somebody who speaks for an organisation's devices calls them.

    Attributes:
        credential_id: of whoever speaks for them.
        organization_id: whose devices they are; None for those of everybody.
        called_by: what of a device its name there is.
        identifier_kind: which kind of identifier, where it is one.
        inbox_id: the application where strangers wait; None lets nobody wait.
    """

    credential_id: UUID
    organization_id: UUID | None
    called_by: CalledBy = CalledBy.ID
    identifier_kind: str = ""
    inbox_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where senders nobody knows wait: an application that holds an inbox key."""

    id: UUID
    application_id: UUID
    organization_id: UUID
    hint: str
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class ShownInboxKey:
    """An inbox with its key, this one time."""

    inbox: Inbox
    secret: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's leave to make one device in an application."""

    id: UUID
    application_id: UUID
    organization_id: UUID
    created_by: UUID


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """A claim with its token, this one time."""

    application_id: UUID
    token: str
    expires_at: datetime

    def url(self, public_url: str) -> str:
        """Write the link; the token stands behind `#`, which browsers do not send."""
        return f"{public_url}/phone#claim={self.token}"


class DeviceChanges(NamedTuple):
    """Which devices changed, and where to go on reading."""

    numbers: list[int]
    next: int


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """What decoding and forwarding need of a device."""

    number: int
    id: UUID
    name: str
    kind: DeviceKind
    manufacturer: str
    model: str
    serial: str | None
    identifiers: tuple[Identifier, ...]
    organization_id: UUID
    application_id: UUID
    state: DeviceState
    decoder_id: UUID | None
    metadata: Mapping[str, str]
    tags: tuple[str, ...]
    location: Location | None
    place: str
    thresholds: tuple[Threshold, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class MapCluster:
    """Devices near each other: their mean place, how many, how many of them silent.

    `device` is the one device of a cluster of one.
    """

    longitude: float
    latitude: float
    count: int
    silent: int
    device: Mapping[str, Any] | None


class Changes(TypedDict, total=False):
    """Fields of a device to change; in metadata None removes a key."""

    name: str
    kind: DeviceKind
    manufacturer: str
    model: str
    serial: str | None
    identifiers: tuple[Identifier, ...]
    gateway_id: UUID | None
    location: Location | None
    place: str
    comment: str
    metadata: Mapping[str, str | None]
    tags: tuple[str, ...]
    owner: str
    ownership: Ownership | None
    state: DeviceState
    decoder_id: UUID | None
    silent_after: timedelta | None
    thresholds: tuple[Threshold, ...]
    # Where an import moves it.
    application_id: UUID


@dataclass(frozen=True, slots=True)
class ManyChanges:
    """What is changed of many devices; tags are added to and taken from those each has."""

    changes: Changes
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    reason: str = ""


class ImportMode(StrEnum):
    """What happens to an import with bad rows."""

    ALL_OR_NOTHING = "allOrNothing"
    PARTIAL = "partial"


class RowAction(StrEnum):
    """What an import does, or would do, with one row."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of a file: a new device, changes to the device of `device_id`, or what is wrong."""

    line: int
    device_id: UUID | None = None
    new: NewDevice | None = None
    changes: Changes | None = None
    problem: ImportProblem | None = None


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """Why a row cannot be taken: an error's code, a sentence, and the column if there is one."""

    code: str
    detail: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became, or would become, of one row."""

    line: int
    action: RowAction
    device_id: UUID | None = None
    name: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    problem: ImportProblem | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of an import."""

    preview: bool
    applied: bool
    rows: tuple[RowResult, ...]

    def count(self, action: RowAction) -> int:
        """Count the rows of one action."""
        return sum(row.action is action for row in self.rows)
