"""OAuth clients, what people allow them, and who it is that shows a credential."""

from .errors import AuthorizationUnknown, ClientUnknown
from .facts import AccessAllowed, AccessEnded, ClientMade, ClientRemoved
from .model import Client, Resource, ShownCertificate
from .service import (
    act_for,
    get_client,
    identify,
    identify_secret,
    is_token,
    recognise_again,
    shown_certificate,
)

__all__ = [
    "AccessAllowed",
    "AccessEnded",
    "AuthorizationUnknown",
    "Client",
    "ClientMade",
    "ClientRemoved",
    "ClientUnknown",
    "Resource",
    "ShownCertificate",
    "act_for",
    "get_client",
    "identify",
    "identify_secret",
    "is_token",
    "recognise_again",
    "shown_certificate",
]
