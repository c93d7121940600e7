"""What can be wrong with OAuth clients; the protocol's own errors are RFC 6749's."""

from moorage.kit.errors import Kind, MoorageError


class ClientUnknown(MoorageError):
    """No such OAuth client, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "oauth.client_unknown"
    message = "There is no OAuth client {id} that you may see."


class ClientNameTaken(MoorageError):
    """Another OAuth client of the organization carries this name."""

    kind = Kind.CONFLICT
    code = "oauth.client_name_taken"
    pointer = "/name"
    message = "Another OAuth client of the organization is already named {name}."


class SecretNotKept(MoorageError):
    """A client that is public, or has keys or a certificate, has no secret."""

    kind = Kind.CONFLICT
    code = "oauth.secret_not_kept"
    message = "This client has no secret: it is public, or proves itself by keys or a certificate."


class RequestInvalid(MoorageError):
    """A program's request for access cannot be trusted enough to answer to it."""

    kind = Kind.INVALID
    code = "oauth.request_invalid"
    message = (
        "The program that sent you here asks in a way that cannot be answered: {reason} Go back to "
        "it and tell whoever makes it."
    )


class DeviceCodeUnknown(MoorageError):
    """No device waits with this code."""

    kind = Kind.NOT_FOUND
    code = "oauth.device_code_unknown"
    message = (
        "No device waits with this code. It holds ten minutes and works once; look at the device "
        "again."
    )


class AuthorizationUnknown(MoorageError):
    """No such authorisation, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "oauth.authorization_unknown"
    message = "There is no authorisation {id} that you may see; it may have ended."


class RegistrationTokenUnknown(MoorageError):
    """No such registration token, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "oauth.registration_token_unknown"
    message = "There is no registration token {id} that you may see."
