"""What can be wrong with reading the audit."""

from moorage.kit.errors import Kind, MoorageError


class RangeEmpty(MoorageError):
    """The range ends before it begins."""

    kind = Kind.INVALID
    code = "audit.range_empty"
    pointer = "/to"
    message = "`to` must be later than `from`."
