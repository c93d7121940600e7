"""Authlib's server around one case."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from authlib.common.security import is_secure_transport
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InsecureTransportError,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint

from moorage.kit.ids import uuid7
from moorage.kit.secrets import digest, make_token

from ...model import (
    ACCESS_TOKEN,
    BY_KEY,
    BY_SHOWING,
    DEVICE_CODE,
    POLL,
    REFRESH_ABSOLUTE,
    REFRESH_PREFIX,
    USER_CODE_LETTERS,
    Answer,
    Authorization,
    DeviceCode,
    Form,
    GrantType,
    is_bound,
    method_of,
)
from .. import certificates
from . import assertions
from .case import Case, Found, Issued, Registered, scopes_of
from .grants import (
    ANY_METHOD,
    METHODS,
    AssertionGrant,
    ClientGrant,
    CodeGrant,
    DeviceGrant,
    PasswordGrant,
    ProofKey,
    RefreshGrant,
)

_NO_PROOF = (
    "The client_assertion must be a JWT (client_assertion_type "
    f"{assertions.TYPE}) signed by a key of the client, with iss and sub its id, aud this "
    "installation, a jti that was not used before, and exp within the hour."
)


_NO_CERTIFICATE = "The client must come over TLS with its certificate (RFC 8705)."


class Request(OAuth2Request):
    """A request as Authlib reads it."""

    def __init__(self, uri: str, form: Form, method: str = "POST") -> None:
        headers = {"Authorization": form.authorization} if form.authorization else {}
        super().__init__(method, uri, headers=headers)
        self.payload = BasicOAuth2Payload(dict(form.fields))

    @property
    def form(self) -> Mapping[str, str]:
        """The fields."""
        fields: Mapping[str, str] = self.payload.data
        return fields

    @property
    def args(self) -> Mapping[str, str]:
        """Nothing: credentials in a query string are not read."""
        return {}


class Server(AuthorizationServer):
    """Decides one case."""

    def __init__(self, case: Case, *, passwords: bool = False) -> None:
        super().__init__()
        self.case = case
        if passwords:
            self.register_grant(PasswordGrant)
        self.register_grant(CodeGrant, [ProofKey(required=True)])
        for grant in (RefreshGrant, ClientGrant, DeviceGrant, AssertionGrant):
            self.register_grant(grant)
        for endpoint in (_Revocation, _Introspection, _DeviceAuthorization):
            self.register_endpoint(endpoint)
        self.register_token_generator("default", self._issue)
        self.register_client_auth_method(BY_KEY, self._by_key)
        for method in BY_SHOWING:
            self.register_client_auth_method(method, self._by_certificate)

    def answer_token(self) -> Answer:
        """Answer at the token endpoint."""
        return self._refused() or self._unbound() or self.create_token_response(self.request())

    def may_show_passwords(self) -> bool:
        """Tell whether this is a client whose people's passwords are looked at."""
        fields = self.case.form.fields
        return (
            fields.get("grant_type") == GrantType.PASSWORD
            and {"username", "password"} <= fields.keys()
            # No name holds a control character (RFC 6749, appendix A.15).
            and fields["username"].isprintable()
            and self._refused() is None
            and self._unbound() is None
            and PasswordGrant(self.request(), self).believed()
        )

    def answer_at(self, name: str) -> Answer:
        """Answer at another endpoint."""
        return self._refused() or self.create_endpoint_response(name, self.request())

    def request(self) -> Request:
        """Make the request as Authlib reads it."""
        return Request(self.case.issuer, self.case.form)

    def _refused(self) -> Answer | None:
        """Refuse what Authlib would let pass: two proofs of one client (RFC 6749, section 2.3)."""
        if not is_secure_transport(self.case.issuer):
            return self._fail(InsecureTransportError())
        form = self.case.form
        basic = (form.authorization or "").lower().startswith("basic ")
        if not basic and form.authorization is not None:
            return self._fail(InvalidClientError(status_code=401))
        named = form.fields.get("client_id")
        shown = [name for name in ("client_secret", "client_assertion") if name in form.fields]
        if len(shown) + basic > 1 or (basic and named not in (None, _user_of(form))):
            return self._fail(InvalidRequestError("The client proves itself in two ways."))
        known = self.case.client
        if known is not None and method_of(known) in BY_SHOWING and (shown or basic):
            # Else a secret that was given up would seem to work.
            return self._fail(InvalidClientError(status_code=401))
        if "client_assertion" in shown and not self.case.proved:
            return self._fail(InvalidClientError(status_code=401, description=_NO_PROOF))
        return None

    def _by_key(self, query_client: Any, request: Request) -> Registered | None:
        """Give the client that has proved itself by its keys."""
        known = self.case.client
        return Registered(known, None) if known is not None and self.case.proved else None

    def _by_certificate(self, query_client: Any, request: Request) -> Registered | None:
        """Give the client that the certificate proves."""
        known = self.case.client
        return Registered(known, None) if known is not None and self.case.certified else None

    def _unbound(self) -> Answer | None:
        """Refuse a token that is to be bound to a certificate where none is shown."""
        known = self.case.client
        if known is None or not is_bound(known) or self.case.form.certificate is not None:
            return None
        return self._fail(InvalidClientError(status_code=401, description=_NO_CERTIFICATE))

    def _fail(self, error: OAuth2Error) -> Answer:
        failed: Answer = self.handle_response(*error(None))
        return failed

    def allowed(self, client: Registered, scope: str | None) -> str:
        """Give the scopes that a client may have. Raises InvalidScopeError."""
        found = client.get_allowed_scope(scope)
        if found is None:
            raise InvalidScopeError
        return found

    # --- What Authlib asks ----------------------------------------------------

    def query_client(self, client_id: str) -> Registered | None:
        """Give the client that the request names."""
        known = self.case.client
        if known is None or client_id != str(known.id):
            return None
        return Registered(known, self.case.secret)

    def validate_requested_scope(self, scope: str | None) -> None:
        """Refuse words that are no permission. Raises InvalidScopeError."""
        scopes_of(scope)

    def save_token(self, token: Mapping[str, Any], request: Request) -> None:
        """Nothing: what is to be written was noted as it was made."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nothing listens."""

    def create_oauth2_request(self, request: Request) -> Request:
        """Give the request, which is one already."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        """Make the answer."""
        return Answer(status, body if isinstance(body, dict) else dict(body or ()), dict(headers))

    def _issue(
        self,
        grant_type: str,
        client: Registered,
        user: UUID | None,
        scope: str | None,
        expires_in: int | None,
        include_refresh_token: bool,
    ) -> dict[str, Any]:
        """Make a token, and note what is to be written of it."""
        case, scopes = self.case, scopes_of(scope) or client.known.scopes
        old = None
        if grant_type == GrantType.REFRESH_TOKEN and case.authorization is not None:
            base = case.authorization
            old = digest(case.form.fields["refresh_token"])
        else:
            of = case.code or case.device
            refresh = include_refresh_token and client.check_grant_type(GrantType.REFRESH_TOKEN)
            base = Authorization(
                uuid7(),
                client.known.id,
                user,
                scopes,
                of.resources if of else case.resources(),
                of.proven if of else user is None,
                case.now,
                case.now,
                case.now + (REFRESH_ABSOLUTE if refresh else ACCESS_TOKEN),
            )
        given = make_token(REFRESH_PREFIX, 32) if old or (user and include_refresh_token) else None
        words = " ".join(s.value for s in scopes)
        ends_at = min(case.now + ACCESS_TOKEN, base.expires_at)
        audience = [f"{case.issuer}{one.value}" for one in case.resources(base.resources)]
        shown = case.form.certificate if is_bound(client.known) else None
        access = case.keys.sign(
            {
                "iss": case.issuer,
                "aud": audience[0] if len(audience) == 1 else audience,
                "sub": str(base.user_id or base.client_id),
                "client_id": str(base.client_id),
                "scope": words,
                "sid": str(base.id),
                "jti": str(uuid7()),
                "iat": int(case.now.timestamp()),
                "exp": int(ends_at.timestamp()),
            }
            | ({"cnf": certificates.confirmation(shown)} if shown is not None else {})
        )
        case.issued = Issued(base, access, given, old)
        made = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int((ends_at - case.now).total_seconds()),
            "scope": words,
        }
        return made | ({"refresh_token": given} if given else {})


def _user_of(form: Form) -> str | None:
    """Read whom the Basic header names."""
    _, _, coded = (form.authorization or "").partition(" ")
    try:
        return base64.b64decode(coded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ANY_METHOD

    def query_token(self, token_string: str, token_type_hint: str | None) -> Found | None:
        found: Found | None = self.server.case.shown
        return found

    def revoke_token(self, token: Found, request: Request) -> None:
        self.server.case.authenticated = request.client.known
        self.server.case.ended = (token.authorization.id, "revoked by the client")


class _Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Found | None:
        found: Found | None = self.server.case.shown
        return found

    def check_permission(self, token: Found, client: Registered, request: Request) -> bool:
        """Tell whether a token is a client's to know of: its own, or one of its organisation."""
        home = client.known.organization_id
        return home is None or home == token.client.organization_id

    def introspect_token(self, token: Found) -> dict[str, Any]:
        found, scopes = token.authorization, " ".join(s.value for s in token.authorization.scopes)
        told = {
            "active": True,
            "client_id": str(found.client_id),
            "sub": str(found.user_id or found.client_id),
            "scope": scopes,
            "iss": self.server.case.issuer,
        }
        if token.claims is None:
            return told | {"exp": int(found.expires_at.timestamp())}
        shown = ("exp", "iat", "aud", "jti", "scope", "cnf")
        claims = {name: token.claims[name] for name in shown if name in token.claims}
        return told | {"token_type": "Bearer"} | claims


class _DeviceAuthorization(DeviceAuthorizationEndpoint):
    CLIENT_AUTH_METHODS = ANY_METHOD
    EXPIRES_IN = int(DEVICE_CODE.total_seconds())
    INTERVAL = int(POLL.total_seconds())

    def authenticate_client(self, request: Request) -> Registered:
        """Refuse clients that are not for devices. Raises InvalidClientError."""
        client: Registered = super().authenticate_client(request)
        if not client.check_grant_type(GrantType.DEVICE_CODE):
            raise InvalidClientError
        self.server.case.authenticated = client.known
        return client

    def generate_user_code(self) -> str:
        half = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(4))
        return f"{half}-" + "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(4))

    def generate_device_code(self) -> str:
        return make_token("mcd_", 32)

    def get_verification_uri(self) -> str:
        return f"{self.server.case.issuer}/oauth/device"

    def save_device_credential(self, client_id: str, scope: str | None, data: Any) -> None:
        case: Case = self.server.case
        client = Registered(case.authenticated, None) if case.authenticated else None
        if client is None:
            raise InvalidClientError
        case.waits = DeviceCode(
            digest(data["device_code"]),
            digest(data["user_code"]),
            client.known.id,
            scopes_of(self.server.allowed(client, scope)),
            case.resources(),
            None,
            None,
            False,
            POLL,
            None,
            case.form.origin,
            case.now + DEVICE_CODE,
        )
