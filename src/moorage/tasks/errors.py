"""What can be wrong with tasks."""

from moorage.kit.errors import Kind, MoorageError


class TaskUnknown(MoorageError):
    """No such task, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "tasks.task_unknown"
    message = "There is no task {id} that you may see."


class TaskFinished(MoorageError):
    """The task has ended, so there is nothing left to cancel."""

    kind = Kind.CONFLICT
    code = "tasks.task_finished"
    message = "The task has ended already: it is {state}."


class TaskLost(MoorageError):
    """The task was cancelled, or another worker has taken it over."""

    kind = Kind.CONFLICT
    code = "tasks.task_lost"
    message = "The task {id} was cancelled or taken over; what this step did is taken back."
