"""HTTP of devices."""

from .applications import router as applications
from .certificates import router as certificates
from .claims import router as claims
from .credentials import router as credentials
from .inbox import keys as inbox_keys
from .inbox import router as inbox
from .many import router as many
from .registry import router
from .topics import router as topics
from .transfer import router as transfer

__all__ = [
    "applications",
    "certificates",
    "claims",
    "credentials",
    "inbox",
    "inbox_keys",
    "many",
    "router",
    "topics",
    "transfer",
]
