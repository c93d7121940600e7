"""The rules of decoding."""

from .readings import instant_of, take_readings
from .workshop import Workshop, find_runtimes

__all__ = ["Workshop", "find_runtimes", "instant_of", "take_readings"]
