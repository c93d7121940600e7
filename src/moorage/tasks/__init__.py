"""Long work with progress, cancel and result."""

from .errors import TaskFinished, TaskLost, TaskUnknown
from .facts import TaskCancelled, TaskStarted
from .model import DoneRow, NewTask, RowProblem, Task, TaskState
from .service import (
    Runner,
    Work,
    advance,
    amend,
    cancel,
    finish,
    get,
    list_tasks,
    note_rows,
    rows_to_do,
    start,
)

__all__ = [
    "DoneRow",
    "NewTask",
    "RowProblem",
    "Runner",
    "Task",
    "TaskCancelled",
    "TaskFinished",
    "TaskLost",
    "TaskStarted",
    "TaskState",
    "TaskUnknown",
    "Work",
    "advance",
    "amend",
    "cancel",
    "finish",
    "get",
    "list_tasks",
    "note_rows",
    "rows_to_do",
    "start",
]
