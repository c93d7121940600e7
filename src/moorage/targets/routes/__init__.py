"""HTTP of targets."""

from .receipts import deliveries
from .receipts import router as receipts
from .targets import kinds_router, router, routes_router

__all__ = ["deliveries", "kinds_router", "receipts", "router", "routes_router"]
