"""The only SQL about sessions: listeners and homes, presence, traces, what devices find again."""

from . import finder, kept, listeners, presence, programs, shared, traces

__all__ = ["finder", "kept", "listeners", "presence", "programs", "shared", "traces"]
