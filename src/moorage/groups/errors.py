"""What can be wrong with applications."""

from moorage.kit.errors import Kind, MoorageError


class ApplicationUnknown(MoorageError):
    """No such application, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "groups.application_unknown"
    message = "There is no application {id} that you may see."


class ApplicationNameTaken(MoorageError):
    """Another application of the organization carries this name."""

    kind = Kind.CONFLICT
    code = "groups.application_name_taken"
    pointer = "/name"
    message = "Another application of the organization is already named {name}."


class ApplicationNotEmpty(MoorageError):
    """The application still owns devices."""

    kind = Kind.CONFLICT
    code = "groups.application_not_empty"
    message = (
        "The application still has {devices} devices. Move them, or repeat with withDevices=true "
        "to remove them and everything they sent."
    )


class DatesReversed(MoorageError):
    """The application would end before it starts."""

    kind = Kind.INVALID
    code = "groups.dates_reversed"
    pointer = "/endDate"
    message = "endDate lies before startDate. Change one of them."
