"""What can be wrong with a log."""

from moorage.kit.errors import Kind, MoorageError


class PartitionLost(MoorageError):
    """Another worker has taken this partition over."""

    kind = Kind.CONFLICT
    code = "ledger.partition_lost"
    message = "{consumer} no longer holds partition {partition}: another worker moved it on."


class PositionGone(MoorageError):
    """The message was dropped when its retention ended, or never was."""

    kind = Kind.NOT_FOUND
    code = "ledger.position_gone"
    message = "There is no message at position {position}; it may be past its retention."


class LedgerUnavailable(MoorageError):
    """Nothing can be stored just now."""

    kind = Kind.UNAVAILABLE
    code = "ledger.unavailable"
    message = "Messages cannot be stored just now ({reason}). Send it again in a few seconds."


class DayMissing(MoorageError):
    """There is no partition for today yet."""

    kind = Kind.UNAVAILABLE
    code = "ledger.day_missing"
    message = "The ledger has no room for today yet. Send it again in a few seconds."
