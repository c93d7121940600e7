"""What can be wrong with a question about readings."""

from moorage.kit.errors import Kind, MoorageError


class RangeTooWide(MoorageError):
    """The question would give more points than one answer holds."""

    kind = Kind.INVALID
    code = "telemetry.range_too_wide"
    message = (
        "This would give more than {limit} points. Ask for a shorter period, a longer `step`, or "
        "page with the `next` of the answer."
    )


class RangeReversed(MoorageError):
    """The end lies before the start."""

    kind = Kind.INVALID
    code = "telemetry.range_reversed"
    pointer = "/to"
    message = "`to` must be later than `from`."
