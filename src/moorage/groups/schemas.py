"""Bodies of the applications' routes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from moorage.kit.http import Body, Duration, Id, Name, Out, Stamped, Units, UnitsPatch
from moorage.organizations import Quota

from .model import ApplicationStatus, ContactPerson, NewApplication

Line = Annotated[str, Field(max_length=100)]
Text = Annotated[str, Field(max_length=4000)]
Word = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
Words = Annotated[list[Word], Field(max_length=60)]
Status = Annotated[ApplicationStatus, Strict(False)]
Day = Annotated[date, Strict(False)]
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
Value = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
Metadata = Annotated[dict[Key, Value], Field(max_length=100)]
_Quota = Annotated[Quota, Strict(False)]
_Most = Annotated[int, Field(ge=1, le=10**15)]
Quotas = Annotated[
    dict[_Quota, _Most],
    Field(description="What may be used at most, over all its devices and at each door."),
]
QuotasPatch = Annotated[
    dict[_Quota, _Most | None], Field(description="Quotas to set; null removes one.")
]
Keep = Annotated[Duration, Field(ge=timedelta(days=1), le=timedelta(days=36_500))]
EncodeCommands = Annotated[
    bool,
    Field(description="Whether devices' decoders encode commands where they can; else JSON."),
]
Silence = Annotated[Duration, Field(ge=timedelta(seconds=10), le=timedelta(days=3650))]


class ContactPersonBody(Body):
    """A person to turn to about an application."""

    name: Name
    role: Line = ""
    email: Annotated[str, Field(max_length=254, pattern=r"^([^@\s]+@[^@\s]+)?$")] = ""
    phone: Annotated[str, Field(max_length=32, pattern=r"^([0-9+() -]{5,})?$")] = ""

    def to_model(self) -> ContactPerson:
        """Make the noun."""
        return ContactPerson(**self.model_dump())


Contacts = Annotated[list[ContactPersonBody], Field(max_length=50)]


class ApplicationBody(Body):
    """A new application."""

    organization_id: Id
    name: Name
    description: Text = ""
    status: Status = ApplicationStatus.NONE
    start_date: Day | None = None
    end_date: Day | None = None
    category: Line = ""
    owner: Line = ""
    contacts: Contacts = []
    personal_data: bool = False
    hardware: Text = ""
    controlled_properties: Words = []
    device_kinds: Words = []
    metadata: Metadata = {}
    quotas: Quotas = {}
    units: Units = {}
    keep_messages: Keep | None = None
    keep_readings: Keep | None = None
    keep_summaries: Keep | None = None
    keep_results: Keep | None = None
    encode_commands: EncodeCommands = True
    silent_after: Silence | None = None

    def to_model(self) -> NewApplication:
        """Make the noun."""
        values: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        return NewApplication(**values | _tuples(values))


class ApplicationPatch(Body):
    """Fields of an application to change (JSON Merge Patch); null removes a key."""

    name: Name = ""
    description: Text = ""
    status: Status = ApplicationStatus.NONE
    start_date: Day | None = None
    end_date: Day | None = None
    category: Line = ""
    owner: Line = ""
    contacts: Contacts = []
    personal_data: bool = False
    hardware: Text = ""
    controlled_properties: Words = []
    device_kinds: Words = []
    metadata: Annotated[dict[Key, Value | None], Field(max_length=100)] = {}
    quotas: QuotasPatch = {}
    units: UnitsPatch = {}
    keep_messages: Keep | None = None
    keep_readings: Keep | None = None
    keep_summaries: Keep | None = None
    keep_results: Keep | None = None
    encode_commands: EncodeCommands = True
    silent_after: Silence | None = None

    def to_changes(self) -> dict[str, Any]:
        """Give the fields sent."""
        given = self.given()
        return given | _tuples(given)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: tuple(values[name])
        for name in ("controlled_properties", "device_kinds")
        if name in values
    }
    if "contacts" in values:
        made["contacts"] = tuple(contact.to_model() for contact in values["contacts"])
    return made


class ContactPersonOut(Out):
    """A person to turn to about an application."""

    name: str
    role: str
    email: str
    phone: str


class ApplicationOut(Stamped):
    """An application."""

    id: UUID
    organization_id: UUID
    name: str
    description: str
    status: ApplicationStatus
    start_date: date | None
    end_date: date | None
    category: str
    owner: str
    contacts: list[ContactPersonOut]
    personal_data: bool
    hardware: str
    controlled_properties: list[str]
    device_kinds: list[str]
    metadata: dict[str, str]
    quotas: dict[str, int]
    units: dict[str, str]
    keep_messages: Duration | None
    keep_readings: Duration | None
    keep_summaries: Duration | None
    keep_results: Duration | None
    encode_commands: bool
    silent_after: Duration | None
    device_count: int
