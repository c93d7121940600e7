"""What is announced about connections."""

from moorage.kit.facts import Fact


class DeviceTraced(Fact):
    """Somebody began to watch a device's packets."""

    name = "sessions.device_traced"
