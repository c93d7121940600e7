"""One request of the protocol: what is known of it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidScopeError

from moorage.kit.secrets import digest, same
from moorage.organizations import Permission
from moorage.users import SigningKeys

from ...model import (
    BY_SECRET,
    Authorization,
    Client,
    Code,
    DeviceCode,
    Form,
    GrantType,
    Resource,
    method_of,
)
from ..clients import leads_back


class InvalidTarget(OAuth2Error):
    """A resource is not one that tokens are made for (RFC 8707, section 2)."""

    error = "invalid_target"
    description = "The resource is unknown, or more than was allowed."


@dataclass
class Found:
    """A token that somebody shows: an access token with its claims, or a refresh token."""

    authorization: Authorization
    client: Client
    open: bool
    claims: dict[str, object] | None = None

    def check_client(self, client: Registered) -> bool:
        """Tell whether it was given to a client."""
        return self.client.id == client.known.id

    def is_expired(self) -> bool:
        """Tell whether it holds no more."""
        return not self.open

    def is_revoked(self) -> bool:
        """Tell the same."""
        return not self.open


@dataclass
class Issued:
    """A token that was decided upon.

    Attributes:
        old_refresh: digest of the refresh token that it was exchanged for.
        refresh: the new one, if there is one.
    """

    authorization: Authorization
    access_token: str
    refresh: str | None
    old_refresh: bytes | None


@dataclass
class Case:
    """A request, what may be about it, and what is to be written.

    Attributes:
        client: whom it names, not yet believed; `secret` is the digest of its secret.
        authenticated: who it was, once Authlib has believed it.
        spent: what a refresh token belonged to that was exchanged before.
        user_open: whether the person in whose name it is may still sign in.
        shown: the token that is to be revoked or introspected.
        proved: whether the client's `client_assertion` holds.
        asserted: whether the assertion that it shows as a grant does.
        certified: whether the certificate that it has proved to hold proves it to be itself.
        named: whose name and password it shows; None where they are nobody's, `wait_s` where
            nobody looked, since too many were wrong.
        ended: an authorisation that ends, and why.
    """

    issuer: str
    keys: SigningKeys
    now: datetime
    form: Form
    client: Client | None = None
    secret: bytes | None = None
    code: Code | None = None
    authorization: Authorization | None = None
    spent: Authorization | None = None
    device: DeviceCode | None = None
    user_open: bool = False
    shown: Found | None = None
    proved: bool = False
    asserted: bool = False
    certified: bool = False
    named: UUID | None = None
    wait_s: int | None = None

    authenticated: Client | None = None
    issued: Issued | None = None
    spent_code: bytes | None = None
    waits: DeviceCode | None = None
    polled: timedelta | None = None
    answered: bytes | None = None
    ended: tuple[UUID, str] | None = None

    def resources(self, allowed: tuple[Resource, ...] = tuple(Resource)) -> tuple[Resource, ...]:
        """Give what the request names of `allowed`; all of it if it names none.

        Raises:
            InvalidTarget.
        """
        if not self.form.resources:
            return allowed
        named = {f"{self.issuer}{one.value}": one for one in allowed}
        if not set(self.form.resources) <= named.keys():
            raise InvalidTarget
        return tuple(named[uri] for uri in dict.fromkeys(self.form.resources))


def scopes_of(text: str | None) -> tuple[Permission, ...]:
    """Read scopes as clients write them. Raises InvalidScopeError."""
    try:
        return tuple(dict.fromkeys(Permission(word) for word in (text or "").split()))
    except ValueError:
        raise InvalidScopeError from None


class Registered:
    """A client as Authlib asks it (authlib.oauth2.rfc6749.ClientMixin)."""

    def __init__(self, known: Client, secret: bytes | None) -> None:
        self.known = known
        self._secret = secret

    def get_client_id(self) -> str:
        """Give the id that it goes by."""
        return str(self.known.id)

    def get_default_redirect_uri(self) -> str | None:
        """Give where to lead back to if a request does not say: where there is no choice."""
        return self.known.redirect_uris[0] if len(self.known.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Give the scopes of a request, all of the client's if it names none; None if too many."""
        wanted = scopes_of(scope) or self.known.scopes
        if not set(wanted) <= set(self.known.scopes):
            return None
        return " ".join(s.value for s in wanted)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether a URI was registered."""
        return leads_back(self.known.redirect_uris, redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Tell whether this is its secret."""
        return self._secret is not None and same(digest(client_secret), self._secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Tell whether it may prove itself this way."""
        own = method_of(self.known)
        return method in BY_SECRET if own in BY_SECRET else method == own

    def check_response_type(self, response_type: str) -> bool:
        """Tell whether it may be answered this way."""
        return response_type == "code" and self.check_grant_type(GrantType.AUTHORIZATION_CODE)

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether it may get tokens this way."""
        return grant_type in self.known.grant_types
