"""Applications: named sets of devices that permissions can be limited to."""

from .errors import ApplicationNameTaken, ApplicationNotEmpty, ApplicationUnknown
from .facts import ApplicationChanged, ApplicationMade, ApplicationMoved, ApplicationRemoved
from .model import Application, ApplicationFilter, ApplicationStatus, ContactPerson, NewApplication
from .service import (
    change,
    get,
    ids_within,
    list_applications,
    make,
    move,
    names_of,
    periods,
    quota,
    quotas,
    remove,
    sending_json,
    silence_limits,
    units,
)

__all__ = [
    "Application",
    "ApplicationChanged",
    "ApplicationFilter",
    "ApplicationMade",
    "ApplicationMoved",
    "ApplicationNameTaken",
    "ApplicationNotEmpty",
    "ApplicationRemoved",
    "ApplicationStatus",
    "ApplicationUnknown",
    "ContactPerson",
    "NewApplication",
    "change",
    "get",
    "ids_within",
    "list_applications",
    "make",
    "move",
    "names_of",
    "periods",
    "quota",
    "quotas",
    "remove",
    "sending_json",
    "silence_limits",
    "units",
]
