"""What every request passes: recognised, limited by its plan, answered once."""

from .errors import BodyTooLarge, IdempotencyKeyReused, RequestUnderway, TooManyRequests
from .model import Limits, Rate
from .service import Catalogue, Meter, Origins, Plans, Throttle

__all__ = [
    "BodyTooLarge",
    "Catalogue",
    "IdempotencyKeyReused",
    "Limits",
    "Meter",
    "Origins",
    "Plans",
    "Rate",
    "RequestUnderway",
    "Throttle",
    "TooManyRequests",
]
