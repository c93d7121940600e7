"""The ways to a token, as Authlib has them; each hook answers from the case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, grants
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant

from moorage.kit.secrets import digest

from ...model import BY_KEY, BY_SECRET, BY_SHOWING, NOT_AT_ALL, POLL, Code, DeviceCode
from .case import Case, Registered

METHODS = [*BY_SECRET, BY_KEY, *BY_SHOWING]
ANY_METHOD = [*METHODS, NOT_AT_ALL]


def _case(grant: Any) -> Case:
    case: Case = grant.server.case
    return case


@dataclass
class _ShownCode:
    """A code as Authlib asks it."""

    known: Code

    @property
    def code_challenge(self) -> str:
        return self.known.challenge

    @property
    def code_challenge_method(self) -> str:
        return "S256"

    def get_redirect_uri(self) -> str:
        return self.known.redirect_uri

    def get_scope(self) -> str:
        return " ".join(s.value for s in self.known.scopes)


class ProofKey(CodeChallenge):
    """PKCE of every client, with S256 alone (RFC 9700, section 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a request without a challenge, or with one that is no hash."""
        given = grant.request.payload.data
        if not given.get("code_challenge") or given.get("code_challenge_method") != "S256":
            raise InvalidRequestError("A code_challenge with code_challenge_method=S256 is needed.")
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(grants.AuthorizationCodeGrant):
    """Authorisation codes (RFC 6749, section 4.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD

    def query_authorization_code(self, code: str, client: Registered) -> _ShownCode | None:
        """Give the code if it is the client's and fresh; one that was used ends what came of it."""
        case = _case(self)
        case.authenticated = client.known
        found = case.code
        if found is None or found.client_id != client.known.id:
            return None
        if found.authorization_id is not None:
            case.ended = (found.authorization_id, "authorisation code used twice")
            return None
        return _ShownCode(found) if found.expires_at > case.now else None

    def authenticate_user(self, authorization_code: _ShownCode) -> UUID | None:
        """Give whose it is, if they may still sign in."""
        return authorization_code.known.user_id if _case(self).user_open else None

    def delete_authorization_code(self, authorization_code: _ShownCode) -> None:
        """Have the code spent."""
        _case(self).spent_code = authorization_code.known.digest


class RefreshGrant(grants.RefreshTokenGrant):
    """Refresh tokens: each works once; one that comes again ends its family (RFC 9700, 4.14)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _ShownRefresh | None:
        """Give what the token belongs to, if it is the client's."""
        case, client = _case(self), self.request.client.known
        case.authenticated = client
        if case.spent is not None and case.spent.client_id == client.id:
            case.ended = (case.spent.id, "refresh token used twice")
        found = case.authorization
        if found is None or found.client_id != client.id:
            return None
        return _ShownRefresh(" ".join(s.value for s in found.scopes), digest(refresh_token))

    def authenticate_user(self, refresh_token: _ShownRefresh) -> UUID | None:
        """Give whose it is. Raises InvalidGrantError, if they may not sign in any more."""
        case = _case(self)
        if case.authorization is None or not case.user_open:
            raise InvalidGrantError
        return case.authorization.user_id

    def revoke_old_credential(self, refresh_token: _ShownRefresh) -> None:
        """Nothing: it is exchanged as the new one is written."""


@dataclass
class _ShownRefresh:
    """A refresh token as Authlib asks it."""

    scope: str
    digest: bytes

    def check_client(self, client: Registered) -> bool:
        """Nothing to add: it is given for its own client only."""
        return True

    def get_scope(self) -> str:
        return self.scope


class ClientGrant(grants.ClientCredentialsGrant):
    """A client as itself (RFC 6749, section 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Check the scopes against the client's own too."""
        super().validate_token_request()
        client = self.request.client
        _case(self).authenticated = client.known
        self.server.allowed(client, self.request.payload.scope)


class AssertionGrant(JWTBearerGrant):
    """A client as itself, by what it has signed (RFC 7523, section 2.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """Believe what was signed, and whatever else the client shows beside it only if it holds.

        Raises:
            InvalidGrantError, InvalidClientError, InvalidScopeError, UnauthorizedClientError.
        """
        case, shown = _case(self), self.request.form
        if case.form.authorization or {"client_secret", "client_assertion"} & set(shown):
            self.authenticate_token_endpoint_client()
        super().validate_token_request()
        self.server.allowed(self.request.client, self.request.payload.scope)

    def process_assertion_claims(self, assertion: str) -> dict[str, str]:
        """Give who signed it; it was looked at as it was read. Raises InvalidGrantError."""
        case = _case(self)
        if case.client is None or not case.asserted:
            raise InvalidGrantError(
                "The assertion must be signed by a key of the client, with iss and sub its id, aud "
                "this installation, a jti that was not used before, and exp within the hour."
            )
        case.authenticated = case.client
        return {"iss": str(case.client.id)}

    def resolve_issuer_client(self, issuer: str) -> Registered | None:
        """Give the client."""
        found: Registered | None = self.server.query_client(issuer)
        return found


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):
    """People's passwords in a program's hands (RFC 6749, section 4.3), for old agents alone."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def believed(self) -> bool:
        """Tell whether the client is who it says, and may show passwords; spends nothing."""
        try:
            client = self.authenticate_token_endpoint_client()
        except OAuth2Error:
            return False
        return bool(client.check_grant_type(self.GRANT_TYPE))

    def validate_token_request(self) -> None:
        """Check the scopes against the client's own too."""
        super().validate_token_request()
        _case(self).authenticated = self.request.client.known
        self.server.allowed(self.request.client, self.request.payload.scope)

    def authenticate_user(self, username: str, password: str) -> UUID:
        """Give whose name and password they are, as was found before. Raises InvalidGrantError."""
        case = _case(self)
        if case.wait_s is not None:
            raise InvalidGrantError(
                f"Too many wrong passwords were shown; try again in {case.wait_s} seconds."
            )
        if case.named is None:
            raise InvalidGrantError(
                "The name or the password is wrong, the account is closed or of another "
                "organization, or it asks for a second factor, which a program cannot show."
            )
        return case.named


@dataclass
class _ShownDeviceCode:
    """What a device waits for, as Authlib asks it."""

    known: DeviceCode
    expired: bool

    def get_client_id(self) -> str:
        return str(self.known.client_id)

    def get_scope(self) -> str:
        return " ".join(s.value for s in self.known.scopes)

    def get_user_code(self) -> DeviceCode:
        return self.known

    def is_expired(self) -> bool:
        return self.expired


class DeviceGrant(DeviceCodeGrant):
    """Devices without a browser (RFC 8628, section 3.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD

    def query_device_credential(self, device_code: str) -> _ShownDeviceCode:
        """Give what the device waits for. Raises InvalidGrantError."""
        case = _case(self)
        found = case.device
        if found is None or case.client is None or found.client_id != case.client.id:
            raise InvalidGrantError
        case.authenticated = case.client
        return _ShownDeviceCode(found, found.expires_at <= case.now)

    def query_user_grant(self, user_code: DeviceCode) -> tuple[UUID, bool] | None:
        """Give what a person said, if anybody has."""
        if user_code.user_id is None or user_code.allowed is None:
            return None
        case = _case(self)
        case.answered = user_code.digest
        return user_code.user_id, user_code.allowed and case.user_open

    def should_slow_down(self, credential: _ShownDeviceCode) -> bool:
        """Tell whether the device polls faster than it was told; each time it waits longer."""
        case, known = _case(self), credential.known
        too_fast = known.polled_at is not None and (
            case.now - known.polled_at < known.interval - timedelta(seconds=0.5)
        )
        case.polled = known.interval + POLL if too_fast else known.interval
        return too_fast
