"""One platform for a mixed fleet of devices."""

__version__ = "0.1.0"
