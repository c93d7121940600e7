"""What is announced about readings and messages."""

from moorage.kit.facts import Fact


class ReadingsExported(Fact):
    """Somebody downloaded readings; the subject is the device or application, else who did it."""

    name = "telemetry.readings_exported"


class MessagesExported(Fact):
    """Somebody downloaded a device's messages as received."""

    name = "telemetry.messages_exported"
