"""What is announced about tasks."""

from moorage.kit.facts import Fact


class TaskStarted(Fact):
    """Somebody asked for long work."""

    name = "tasks.started"


class TaskCancelled(Fact):
    """Somebody stopped long work."""

    name = "tasks.cancelled"
