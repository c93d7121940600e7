"""HTTP of devices."""

from .applications import router as applications
from .credentials import router as credentials
from .registry import router
from .transfer import router as transfer

__all__ = ["applications", "credentials", "router", "transfer"]
