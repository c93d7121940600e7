"""The rules of decoding."""

from .readings import take_readings

__all__ = ["take_readings"]
