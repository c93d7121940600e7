"""What can be wrong with sources."""

from moorage.kit.errors import Kind, MoorageError


class SourceUnknown(MoorageError):
    """There is no such source among those the caller may see."""

    kind = Kind.NOT_FOUND
    code = "sources.unknown"
    message = "There is no source {id}."


class SourceNameTaken(MoorageError):
    """Another source of the organisation has this name."""

    kind = Kind.CONFLICT
    code = "sources.name_taken"
    pointer = "/name"
    message = "A source named {name} exists in this organization already. Choose another name."


class SourcesTooMany(MoorageError):
    """The organisation has as many sources as one may have."""

    kind = Kind.CONFLICT
    code = "sources.too_many"
    message = "An organization has at most {limit} sources. Remove one that is not used."
