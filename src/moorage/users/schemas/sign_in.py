"""Bodies of signing in, and of what is shown beside the password."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from moorage.kit.http import Body, Instant, Name, Out

from ..model import Proof
from .words import Email, Password

Code = Annotated[str, Field(min_length=6, max_length=40)]
Base64Url = Annotated[str, Field(max_length=16_384, pattern=r"^[A-Za-z0-9_-]+$")]


class AssertedBody(Body):
    """What an authenticator signed (AuthenticatorAssertionResponse), in base64url."""

    client_data: Annotated[Base64Url, Field(alias="clientDataJSON")]
    authenticator_data: Base64Url
    signature: Base64Url
    user_handle: Base64Url | None = None


class AttestedBody(Body):
    """What an authenticator made (AuthenticatorAttestationResponse), in base64url."""

    client_data: Annotated[Base64Url, Field(alias="clientDataJSON")]
    attestation_object: Base64Url


class CredentialBody(Body):
    """A public key credential, as browsers give it (PublicKeyCredential)."""

    id: Base64Url
    raw_id: Base64Url
    type: Literal["public-key"]


class AssertionBody(CredentialBody):
    """What a passkey answers to a challenge."""

    response: AssertedBody


class AttestationBody(CredentialBody):
    """What a browser answers when it has made a passkey."""

    response: AttestedBody


class ProofBody(Body):
    """What the second factor takes: a code of the app or a backup code, or a passkey's answer."""

    code: Code | None = None
    passkey: AssertionBody | None = None

    def to_proof(self) -> Proof:
        """Make the noun."""
        shown = self.passkey.model_dump(by_alias=True) if self.passkey else None
        return Proof(self.code, shown)


class SignInBody(ProofBody):
    """An e-mail address, a password and, where it is asked for, a second factor."""

    email: Email
    password: Password


class LinkBody(ProofBody):
    """The token of a one-time link and, where it is asked for, a second factor."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class PasskeySignInBody(Body):
    """What a passkey answers whose device verified its person."""

    credential: AssertionBody


class ConfirmBody(Body):
    """The password once more; not asked for within fifteen minutes of a sign-in by link."""

    password: Password | None = None


class CodeBody(Body):
    """A code of the authenticator app."""

    code: Code


class ConfirmWithCodeBody(Body):
    """The password once more, and a code of the app or a backup code."""

    password: Password | None = None
    code: Code


class NewPasskeyBody(Body):
    """A passkey that the browser has made, and what to call it."""

    name: Name
    credential: AttestationBody


class PasskeyPatch(Body):
    """Another name of a passkey."""

    name: Name


class PasskeyOut(Out):
    """A passkey of yours."""

    id: UUID
    name: str
    created_at: Instant
    used_at: Instant | None


class SecondFactorsOut(Out):
    """What you can show beside the password."""

    totp: bool
    backup_codes_left: int
    passkeys: list[PasskeyOut]


class TotpSetupOut(Out):
    """What an authenticator app is told, this once: as text, as a URI, and as a QR code."""

    secret: str
    uri: str
    qr: Annotated[str, Field(description="The URI as a QR code: an SVG image as a data URI.")]


class BackupCodesOut(Out):
    """Backup codes, shown this once; each works once, in place of the app's code."""

    codes: list[str]


class WaysOut(Out):
    """What the sign-in page can offer."""

    reset_by_mail: bool
    passkeys: bool


class ResetBody(Body):
    """Whose password was forgotten."""

    email: Email


class NewPasswordBody(Body):
    """The token of a link from a mail, and the password that it sets."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    new_password: Password


class RefreshBody(Body):
    """A refresh token; it works once."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class PasswordBody(Body):
    """A new password, and the current one if there is one."""

    current_password: Password | None = None
    new_password: Password


class TokensOut(Out):
    """An access token for 15 minutes, and the refresh token for the next."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in_s: int
