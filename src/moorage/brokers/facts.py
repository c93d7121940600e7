"""What is announced about brokers in front."""

from moorage.kit.facts import Fact


class BrokerAdded(Fact):
    """A broker was registered."""

    name = "brokers.added"


class BrokerChanged(Fact):
    """A broker's fields changed."""

    name = "brokers.changed"


class BrokerRemoved(Fact):
    """A broker was removed; its token is refused from now on."""

    name = "brokers.removed"


class BrokerTokenRotated(Fact):
    """A broker was given a new token."""

    name = "brokers.token_rotated"
