"""Bodies of OAuth: clients and what people allow them, and the protocol's own."""

from .people import (
    AllowedOut,
    AnswerBody,
    AskBody,
    AskedOut,
    DeviceAnswerBody,
    DeviceAskBody,
    LedOut,
)
from .programs import (
    ClientBody,
    ClientOut,
    ClientPatch,
    MadeClientOut,
    MadeTokenOut,
    RegistrationTokenBody,
    RegistrationTokenOut,
    SecretOut,
)
from .protocol import DeviceOut, IntrospectionOut, KeysOut, MetadataOut, RegisteredOut, TokenOut

__all__ = [
    "AllowedOut",
    "AnswerBody",
    "AskBody",
    "AskedOut",
    "ClientBody",
    "ClientOut",
    "ClientPatch",
    "DeviceAnswerBody",
    "DeviceAskBody",
    "DeviceOut",
    "IntrospectionOut",
    "KeysOut",
    "LedOut",
    "MadeClientOut",
    "MadeTokenOut",
    "MetadataOut",
    "RegisteredOut",
    "RegistrationTokenBody",
    "RegistrationTokenOut",
    "SecretOut",
    "TokenOut",
]
