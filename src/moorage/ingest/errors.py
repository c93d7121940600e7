"""Why a message was not taken in."""

from moorage.kit.errors import Kind, MoorageError


class CertificateRefused(MoorageError):
    """The client's certificate lets nobody in."""

    kind = Kind.UNSIGNED
    code = "ingest.certificate_refused"
    message = "The client's certificate is not let in: {reason}"


class SenderUnknown(MoorageError):
    """No device has these credentials."""

    kind = Kind.UNSIGNED
    code = "ingest.sender_unknown"
    message = (
        "No device has these credentials. Check user name, password or key; make new ones on the "
        "device's page."
    )


class TopicRefused(MoorageError):
    """The device may not use this topic or path."""

    kind = Kind.FORBIDDEN
    code = "ingest.topic_refused"
    message = (
        "The device may not publish to {topic}. Publish to v1/up or v1/up/<channel>; see the "
        "device's page for its topics."
    )


class CommandMalformed(MoorageError):
    """What a service asks of a device cannot be read."""

    kind = Kind.INVALID
    code = "ingest.command_malformed"
    message = 'A command is a JSON object such as {{"code": "reboot", "payload": null}}: {reason}.'


class MessageTooLarge(MoorageError):
    """The message is larger than one may be."""

    kind = Kind.TOO_LARGE
    code = "ingest.message_too_large"
    message = "The message has {size} bytes; at most {limit} are taken. Send it in parts."


class MessageMalformed(MoorageError):
    """The body is not what its content type says."""

    kind = Kind.MALFORMED
    code = "ingest.message_malformed"
    message = "The body is not valid {format}: {reason}."


class TooFast(MoorageError):
    """The sender used up its allowance."""

    kind = Kind.TOO_MANY
    code = "ingest.too_fast"
    message = (
        "The {bucket} allowance of {most:.12g} {unit} is used up. Try again in {retry_after_s} s."
    )


class TooManyAttempts(MoorageError):
    """Too many wrong credentials came from the sender's address."""

    kind = Kind.TOO_MANY
    code = "ingest.too_many_attempts"
    message = (
        "Too many attempts with wrong credentials came from this address. "
        "Try again in {retry_after_s} s."
    )


class DiskFull(MoorageError):
    """The disk is so full that nothing more is taken in."""

    kind = Kind.UNAVAILABLE
    code = "ingest.disk_full"
    message = (
        "The disk of the platform is full, so no messages are taken in; its administrators are "
        "told. Try again in {retry_after_s} s."
    )


class Overloaded(MoorageError):
    """More comes in than can be stored."""

    kind = Kind.UNAVAILABLE
    code = "ingest.overloaded"
    message = "More messages come in than can be stored. Try again in {retry_after_s} s."


class NothingToDecode(MoorageError):
    """None of the devices uses the decoder."""

    kind = Kind.INVALID
    code = "ingest.nothing_to_decode"
    message = "None of these devices uses the decoder. Choose it for them first."


class ReDecodeNotReady(MoorageError):
    """The re-decode has no result that could be applied or discarded."""

    kind = Kind.CONFLICT
    code = "ingest.re_decode_not_ready"
    message = "The re-decode cannot be applied or discarded: it is {state}."
