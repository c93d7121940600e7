"""Who changed what, and what went wrong."""

from .model import FactEntry, SystemEntry

__all__ = ["FactEntry", "SystemEntry"]
