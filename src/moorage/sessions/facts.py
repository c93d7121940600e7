"""What is announced about connections."""

from moorage.kit.facts import Fact


class DeviceTraced(Fact):
    """Somebody began to watch a device's packets."""

    name = "sessions.device_traced"


class ConnectionEnded(Fact):
    """Somebody ended a connection of a device."""

    name = "sessions.connection_ended"


class ProgramEnded(Fact):
    """Somebody ended the connection of a program with an API key."""

    name = "sessions.program_ended"
