"""The only SQL about sessions: listeners and homes, presence, traces, what devices find again."""

from . import kept, listeners, presence, shared, traces

__all__ = ["kept", "listeners", "presence", "shared", "traces"]
