"""The only SQL about sessions: listeners and homes, presence, traces, what devices find again."""

from . import kept, listeners, presence, traces

__all__ = ["kept", "listeners", "presence", "traces"]
