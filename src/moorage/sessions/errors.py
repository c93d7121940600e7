"""What can be wrong with looking at connections."""

from moorage.kit.errors import Kind, MoorageError


class TooManyTraces(MoorageError):
    """The caller watches the packets of too many devices at once."""

    kind = Kind.TOO_MANY
    code = "sessions.too_many_traces"
    message = "You trace {limit} devices already; end one of these traces first."


class ConnectionUnknown(MoorageError):
    """The device is not connected by this client id."""

    kind = Kind.NOT_FOUND
    code = "sessions.connection_unknown"
    message = "The device is not connected by this client id."


class ProgramUnknown(MoorageError):
    """No program that you may see has this connection."""

    kind = Kind.NOT_FOUND
    code = "sessions.program_unknown"
    message = "There is no such connection of a program, or it has ended."
