"""Patterns and sequences: events that follow one another, counted, joined by and/or, or absent."""

from .build import build_states
from .receive import PatternInput

__all__ = ["PatternInput", "build_states"]
