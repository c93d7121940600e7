"""What every request passes: recognised, limited by its plan, answered once."""

from .errors import BodyTooLarge, IdempotencyKeyReused, RequestUnderway, TooManyRequests
from .model import Limits, Rate
from .service import Plans, Throttle

__all__ = [
    "BodyTooLarge",
    "IdempotencyKeyReused",
    "Limits",
    "Plans",
    "Rate",
    "RequestUnderway",
    "Throttle",
    "TooManyRequests",
]
