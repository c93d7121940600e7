"""People, their credentials, and who it is that asks."""

from .errors import CredentialsWrong, UserUnknown
from .facts import ApiKeyIssued, ApiKeyRevoked, SignInRefused, UserChanged, UserErased, UserSignedIn
from .model import Link, NewUser, User, Visitor
from .service import (
    SigningKeys,
    add_from_command_line,
    csrf_token,
    deactivate,
    everybody,
    first_link,
    grant_admin,
    identify,
    invite,
    link_for,
    load_signing_keys,
    recheck,
    sign_in_by_link,
)

__all__ = [
    "ApiKeyIssued",
    "ApiKeyRevoked",
    "CredentialsWrong",
    "Link",
    "NewUser",
    "SignInRefused",
    "SigningKeys",
    "User",
    "UserChanged",
    "UserErased",
    "UserSignedIn",
    "UserUnknown",
    "Visitor",
    "add_from_command_line",
    "csrf_token",
    "deactivate",
    "everybody",
    "first_link",
    "grant_admin",
    "identify",
    "invite",
    "link_for",
    "load_signing_keys",
    "recheck",
    "sign_in_by_link",
]
