"""Bodies of the protocol, in its own words."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class TokenOut(BaseModel):
    """A token (RFC 6749, section 5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | None = None


class DeviceOut(BaseModel):
    """What a device and a person need to meet (RFC 8628, section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class IntrospectionOut(BaseModel):
    """What is known of a token (RFC 7662, section 2.2)."""

    model_config = ConfigDict(extra="allow")

    active: bool


class RegisteredOut(BaseModel):
    """A client that registered itself (RFC 7591, section 3.2.1)."""

    model_config = ConfigDict(extra="allow")

    client_id: str


class MetadataOut(BaseModel):
    """How programs find everything (RFC 8414, section 3.2)."""

    model_config = ConfigDict(extra="allow")

    issuer: str
    token_endpoint: str


class KeysOut(BaseModel):
    """The keys that sign access tokens (RFC 7517, section 5)."""

    keys: list[dict[str, Any]]
