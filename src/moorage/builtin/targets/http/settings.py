"""The settings of the HTTP kind: their schema, and what a schema cannot say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from moorage.plugin import FieldInvalid

from .. import tls

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers that frame the message or that the kind sets itself.
RESERVED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type",
     "authorization", "idempotency-key", "upgrade", "te", "trailer", "expect"}
)  # fmt: skip

SECRETS = {
    "authorization": "The whole Authorization header, for authentication `header`",
    "password": "The password, for authentication `basic`",
    "clientSecret": "The client's secret, for authentication `oauth2`",
    "signingSecret": "Key of the signature (Standard Webhooks: whsec_ and base64)",
    "clientKey": "Private key of the client certificate (PEM, no passphrase)",
}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "title": "URL", "maxLength": 2048,
                "description": "May hold places such as {{device.id}}, percent-encoded"},
        "method": {"enum": ["POST", "PUT", "PATCH"], "default": "POST", "title": "Method"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"},
                    "title": "Further headers; not for secrets"},
        "body": {"type": "string", "maxLength": 65536, "title": "Body template",
                 "description": "Empty: an envelope around the document, or the bytes as received"},
        "contentType": {"type": "string", "maxLength": 200, "title": "Content type of the body"},
        "timeoutS": {"type": "number", "minimum": 0.1, "maximum": 120, "default": 30,
                     "title": "Seconds to wait for an answer"},
        "authentication": {"enum": ["none", "header", "basic", "oauth2"], "default": "none",
                           "title": "Authentication"},
        "user": {"type": "string", "maxLength": 200, "title": "User, for basic"},
        "oauth2": {
            "type": "object", "title": "OAuth 2.0 client credentials",
            "required": ["tokenUrl", "clientId"], "additionalProperties": False,
            "properties": {
                "tokenUrl": {"type": "string", "maxLength": 2048, "title": "Token URL"},
                "clientId": {"type": "string", "maxLength": 200, "title": "Client id"},
                "scope": {"type": "string", "maxLength": 1000, "title": "Scope"},
                "audience": {"type": "string", "maxLength": 1000, "title": "Audience"},
                "send": {"enum": ["header", "body"], "default": "header",
                         "title": "Where the client's secret goes"},
            },
        },
        "tls": tls.SCHEMA,
    },
}  # fmt: skip

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
Short = Annotated[str, msgspec.Meta(max_length=200)]


class Oauth2(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Client credentials."""

    token_url: Url
    client_id: Short
    scope: str = ""
    audience: str = ""
    send: Literal["header", "body"] = "header"


class Tls(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Private authority and client certificate."""

    authority: str | None = None
    client_certificate: str | None = None


class Settings(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Settings as stored."""

    url: Url
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str] = {}
    body: Annotated[str, msgspec.Meta(max_length=65_536)] = ""
    content_type: Short = ""
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=120)] = 30.0
    authentication: Literal["none", "header", "basic", "oauth2"] = "none"
    user: Short = ""
    oauth2: Oauth2 | None = None
    tls: Tls = msgspec.field(default_factory=Tls)


def read(settings: Mapping[str, Any]) -> Settings:
    """Read settings. Raises FieldInvalid."""
    given: Settings = converted(settings, Settings)
    return given


def converted(settings: Mapping[str, Any], into: type[Any]) -> Any:
    """Convert settings into a struct. Raises FieldInvalid that names the field."""
    try:
        return msgspec.convert(dict(settings), into)
    except msgspec.ValidationError as wrong:
        text, _, path = str(wrong).partition(" - at `")
        named = re.search(r"field `([^`]+)`", text)
        parts = [p for p in re.split(r"[.\[\]`]+", path.removeprefix("$")) if p and p != "..."]
        if named and named[1] not in parts:
            parts.append(named[1])
        raise FieldInvalid("/" + "/".join(["settings", *parts]), text) from wrong


def check_header(name: str, value: str) -> None:
    """Check a header of the settings. Raises FieldInvalid."""
    pointer = f"/settings/headers/{name}"
    if not HEADER_NAME.fullmatch(name):
        raise FieldInvalid(pointer, "is not a header name")
    if name.lower() in RESERVED:
        raise FieldInvalid(pointer, "is set by the target itself; see contentType, authentication")
    check_header_value(value, pointer)


def check_header_value(value: str, pointer: str) -> None:
    """Check what is to stand in a header. Raises FieldInvalid."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise FieldInvalid(pointer, "must be written in Latin-1") from None
    if any(c in value for c in "\r\n\0"):
        raise FieldInvalid(pointer, "must not contain line breaks")
