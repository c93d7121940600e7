"""Why a simulation cannot go on."""

from __future__ import annotations

from moorage.kit.errors import Kind, MoorageError


class PlatformUnreachable(MoorageError):
    """Nobody answers at the platform's address."""

    kind = Kind.UNAVAILABLE
    code = "simulate.platform_unreachable"
    message = (
        "{url} does not answer ({reason}). Start it with `moorage run`, or give another --url."
    )


class PlatformRefused(MoorageError):
    """The platform turned a request of the simulator down."""

    kind = Kind.CONFLICT
    code = "simulate.platform_refused"
    message = "{method} {path} was answered with {status}: {detail}"


class KeyUnfit(MoorageError):
    """The API key belongs to no single organization."""

    kind = Kind.INVALID
    code = "simulate.key_unfit"
    message = (
        "This API key holds rights in {count} organizations. Say which one with --organization, "
        "or make a key of the one whose devices shall be simulated."
    )


class AlreadyRunning(MoorageError):
    """Another process plays the demo."""

    kind = Kind.CONFLICT
    code = "simulate.already_running"
    message = "The demo runs already (process {pid}). Stop that one first."


class StateUnreadable(MoorageError):
    """What the demo kept of its devices cannot be read."""

    kind = Kind.CONFLICT
    code = "simulate.state_unreadable"
    message = "{path} cannot be read: {reason}. Delete it to set the demo's devices up anew."
