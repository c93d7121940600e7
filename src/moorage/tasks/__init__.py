"""Long work with progress, cancel and result."""

from .errors import TaskFinished, TaskLost, TaskUnknown
from .facts import TaskCancelled, TaskStarted
from .model import NewTask, Task, TaskState
from .service import Runner, Work, advance, amend, cancel, finish, get, list_tasks, start

__all__ = [
    "NewTask",
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
    "start",
]
