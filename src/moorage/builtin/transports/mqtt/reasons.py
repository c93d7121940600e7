"""What reason codes mean here, and which ones say what was refused."""

from __future__ import annotations

from moorage.plugin import Kind
from moorage_mqtt import ReasonCode

# Cause of the disconnect, by the reason code the core gave for it.
CAUSES = {ReasonCode.KEEP_ALIVE_TIMEOUT: "keep-alive"}
# What a service is told whose command is not taken, by kind of error.
OTHERWISE = ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR
ASKED = {
    Kind.FORBIDDEN: ReasonCode.NOT_AUTHORIZED,
    Kind.NOT_FOUND: ReasonCode.NOT_AUTHORIZED,
    Kind.INVALID: ReasonCode.PAYLOAD_FORMAT_INVALID,
    Kind.TOO_LARGE: ReasonCode.QUOTA_EXCEEDED,
    Kind.TOO_MANY: ReasonCode.QUOTA_EXCEEDED,
    Kind.CONFLICT: ReasonCode.QUOTA_EXCEEDED,
    Kind.UNAVAILABLE: ReasonCode.QUOTA_EXCEEDED,
}
# Of subscriptions, those that are listed as refused.
NOT_GRANTED = (ReasonCode.NOT_AUTHORIZED, ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED)
# As what a refusal is listed.
REFUSALS = {
    ReasonCode.PAYLOAD_FORMAT_INVALID: "malformed",
    ReasonCode.PACKET_TOO_LARGE: "oversize",
    ReasonCode.RECEIVE_MAXIMUM_EXCEEDED: "rate",
    ReasonCode.QUOTA_EXCEEDED: "rate",
}
