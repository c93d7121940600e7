"""Reason codes of MQTT 5 and the one error of this package."""

from enum import IntEnum


class ReasonCode(IntEnum):
    """Every reason code of MQTT 5, section 2.4; MQTT 3.1.1 answers are derived from them."""

    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    REAUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


class ProtocolError(ValueError):
    """The bytes or the values break MQTT; `reason_code` says how, `text` in words."""

    def __init__(self, reason_code: ReasonCode, text: str) -> None:
        super().__init__(f"{text} (0x{reason_code:02X})")
        self.reason_code = reason_code
        self.text = text


class UnknownVersion(ProtocolError):
    """A CONNECT of a protocol level that is not spoken here."""

    def __init__(self, level: int) -> None:
        text = f"Protocol level {level} is not supported; 4 (MQTT 3.1.1) and 5 are."
        super().__init__(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION, text)
        self.level = level


def malformed(text: str) -> ProtocolError:
    """Make the error for bytes that cannot be parsed."""
    return ProtocolError(ReasonCode.MALFORMED_PACKET, text)


def breach(text: str) -> ProtocolError:
    """Make the error for a packet that parses but is not allowed."""
    return ProtocolError(ReasonCode.PROTOCOL_ERROR, text)
