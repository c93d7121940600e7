"""The only SQL about sessions: listeners and homes, presence, traces, what devices find again."""

from . import kept, listeners, presence, programs, shared, traces

__all__ = ["kept", "listeners", "presence", "programs", "shared", "traces"]
