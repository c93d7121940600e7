"""The windows of the language.

Source: Siddhi 5.1 API, https://siddhi.io/en/v5.1/docs/api/latest/ (core, windows).
"""

from __future__ import annotations

from .batches import Batches, CronBatch, ExternalTimeBatch, LengthBatch, TimeBatch
from .expression import ExpressionBatch, ExpressionWindow
from .frequent import Frequent, LossyFrequent
from .session import SessionWindow
from .setting import Setting, WindowOperator
from .sliding import Delay, ExternalTime, Length, Sort, Time, TimeLength

__all__ = ["WINDOWS", "Setting", "WindowOperator"]

WINDOWS: dict[str, type[WindowOperator]] = {
    "batch": Batches,
    "cron": CronBatch,
    "delay": Delay,
    "expression": ExpressionWindow,
    "expressionBatch": ExpressionBatch,
    "externalTime": ExternalTime,
    "externalTimeBatch": ExternalTimeBatch,
    "frequent": Frequent,
    "length": Length,
    "lengthBatch": LengthBatch,
    "lossyFrequent": LossyFrequent,
    "session": SessionWindow,
    "sort": Sort,
    "time": Time,
    "timeBatch": TimeBatch,
    "timeLength": TimeLength,
}
