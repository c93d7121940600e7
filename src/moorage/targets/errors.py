"""What can be wrong with targets, routes and deliveries."""

from moorage.kit.errors import Kind, MoorageError


class TargetUnknown(MoorageError):
    """There is no such target among those the caller may see."""

    kind = Kind.NOT_FOUND
    code = "targets.unknown"
    message = "There is no target {id}."


class TargetNameTaken(MoorageError):
    """Another target of the application has this name."""

    kind = Kind.CONFLICT
    code = "targets.name_taken"
    pointer = "/name"
    message = "A target named {name} exists in this application already. Choose another name."


class TargetKindUnknown(MoorageError):
    """No plugin offers this kind of target."""

    kind = Kind.INVALID
    code = "targets.kind_unknown"
    pointer = "/kind"
    message = "There is no target kind {kind}. Installed are: {known}."


class RouteUnknown(MoorageError):
    """There is no such route among those the caller may see."""

    kind = Kind.NOT_FOUND
    code = "targets.route_unknown"
    message = "There is no route {id}."


class DeadLetterUnknown(MoorageError):
    """The target has no such dead letter any more."""

    kind = Kind.NOT_FOUND
    code = "targets.dead_letter_unknown"
    message = "There is no dead letter {id} at this target; it may have been sent again already."


class ReplayUnknown(MoorageError):
    """The target has no such replay."""

    kind = Kind.NOT_FOUND
    code = "targets.replay_unknown"
    message = "There is no replay {id} at this target."


class TargetUnreachable(MoorageError):
    """A sender cannot be opened just now, such as when no connection can be made."""

    kind = Kind.UPSTREAM
    code = "targets.unreachable"
    message = "The target cannot be reached: {reason}"
