"""Which reason codes each packet may carry (MQTT 5, section 2.4; MQTT 3.1.1, 3.2 and 3.9)."""

from . import properties as p
from .errors import ReasonCode, malformed

_RECEIVED = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASED = frozenset({0x00, 0x92})

_ALLOWED: dict[int, frozenset[int]] = {
    p.CONNACK: frozenset(
        {0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}
    ),
    p.PUBACK: _RECEIVED,
    p.PUBREC: _RECEIVED,
    p.PUBREL: _RELEASED,
    p.PUBCOMP: _RELEASED,
    p.SUBACK: frozenset({0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}),
    p.UNSUBACK: frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}),
    p.DISCONNECT: frozenset(
        {0x00, 0x04, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0x91), *range(0x93, 0xA3)}
    ),
    p.AUTH: frozenset({0x00, 0x18, 0x19}),
}
_ALLOWED_311: dict[int, frozenset[int]] = {
    p.CONNACK: frozenset(range(6)),
    p.SUBACK: frozenset({0x00, 0x01, 0x02, 0x80}),
}

# Return codes of CONNACK in MQTT 3.1.1; what is not here is "server unavailable".
_REFUSALS_311 = {
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: 1,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: 2,
    ReasonCode.BAD_USER_NAME_OR_PASSWORD: 4,
    ReasonCode.NOT_AUTHORIZED: 5,
    ReasonCode.BANNED: 5,
    ReasonCode.BAD_AUTHENTICATION_METHOD: 5,
}


def check_reason(code: int, packet: int, version: int = 5) -> int:
    """Return `code` if the packet type may carry it in this version; else raise."""
    allowed = _ALLOWED[packet] if version == 5 else _ALLOWED_311[packet]
    if code not in allowed:
        raise malformed(f"The reason code 0x{code:02X} is not allowed in this packet.")
    return code


def sayable(code: ReasonCode, packet: int) -> ReasonCode:
    """Give `code` if the packet type may carry it in MQTT 5, else PROTOCOL_ERROR.

    What is wrong with a packet that may not come at all, such as a second CONNECT, has often a code
    that only the right time would allow.
    """
    return code if code in _ALLOWED[packet] else ReasonCode.PROTOCOL_ERROR


def connack_311(code: int) -> int:
    """Translate a reason code of MQTT 5 into the nearest return code of MQTT 3.1.1."""
    return _REFUSALS_311.get(ReasonCode(code), 3) if code else 0
