"""The columnar path: the same plan over batches of columns, with kernels for what has state.

It gives the rows the reference path gives, in the same order; what it does not cover, the reference
path runs.
"""

from . import intake
from .aggregation import ColumnAggregation, aggregation
from .batch import Batch, Column, batch_of
from .intake import Dictionary, Words
from .kernels import compiled
from .partition import feeds, partition
from .plan import into_stream, single_query, why
from .plan_join import join_query
from .plan_pattern import pattern_query
from .vector import Refused

__all__ = [
    "Batch",
    "Column",
    "ColumnAggregation",
    "Dictionary",
    "Refused",
    "Words",
    "aggregation",
    "batch_of",
    "compiled",
    "feeds",
    "intake",
    "into_stream",
    "join_query",
    "partition",
    "pattern_query",
    "single_query",
    "why",
]
