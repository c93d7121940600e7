"""The only SQL about sessions: listeners and homes, presence, what devices find again."""

from . import kept, listeners, presence, shared

__all__ = ["kept", "listeners", "presence", "shared"]
