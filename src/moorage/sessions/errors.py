"""What can be wrong with looking at connections."""

from moorage.kit.errors import Kind, MoorageError


class TooManyTraces(MoorageError):
    """The caller watches the packets of too many devices at once."""

    kind = Kind.TOO_MANY
    code = "sessions.too_many_traces"
    message = "You trace {limit} devices already; end one of these traces first."
