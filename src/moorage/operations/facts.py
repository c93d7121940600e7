"""What is announced about operations."""

from moorage.kit.facts import Fact


class OperationIssued(Fact):
    """Somebody asked something of a device."""

    name = "operations.issued"


class OperationCancelled(Fact):
    """Somebody called an operation off."""

    name = "operations.cancelled"


class OperationReported(Fact):
    """A device finished an operation."""

    name = "operations.reported"


class OperationTimedOut(Fact):
    """A device did not take or answer an operation in time."""

    name = "operations.timed_out"
