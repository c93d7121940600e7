"""Expected failures, named once and free of any protocol."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar


class Kind(Enum):
    """What sort of failure; each door translates it into its own codes."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNSIGNED = "unsigned"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    STALE = "stale"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    UPSTREAM = "upstream"


class MoorageError(Exception):
    """A failure that callers can expect and act upon.

    Subclasses set `kind`, a stable `code` (`slice.state_found`) and a `message` that says
    what is wrong and how to mend it; it is formatted with the attributes given. One that is about
    a single field of what was asked names it in `pointer` (RFC 6901).
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    message: ClassVar[str]
    pointer: str | None = None
    registry: ClassVar[dict[str, type[MoorageError]]] = {}

    def __init__(self, **public: Any) -> None:
        self.public = public
        super().__init__(self.message.format(**public))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            known = cls.registry.setdefault(cls.code, cls)
            if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
                raise TypeError(f"Two errors carry the code {cls.code!r}.")


class FieldInvalid(MoorageError):
    """A field has a value that cannot be used."""

    kind = Kind.INVALID
    code = "field_invalid"
    message = "{pointer}: {reason}"

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(pointer=pointer, reason=reason)
        self.pointer = pointer


class VersionStale(MoorageError):
    """Somebody else changed the thing since it was read."""

    kind = Kind.STALE
    code = "version_stale"
    message = (
        "This was changed by somebody else at {updated_at}. Read it again and repeat your change."
    )


class CursorInvalid(MoorageError):
    """The page cursor was not made by this list."""

    kind = Kind.INVALID
    code = "cursor_invalid"
    message = "`after` must be the `next` of an earlier answer of this same list."
