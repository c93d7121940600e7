"""Complex event processing in the Siddhi query language: pure, deterministic, without I/O of its
own.

>>> from moorage_flow import App, Runtime
"""

from .app import App
from .errors import (
    AnnotationRepeated,
    AppInvalid,
    AttributeRepeated,
    AttributeUnknown,
    DefinitionRepeated,
    DefinitionUnknown,
    EvaluationFailed,
    EventInvalid,
    FlowError,
    FunctionUnknown,
    QueryInvalid,
    StateInvalid,
    SyntaxInvalid,
)
from .extensions import Extensions
from .runtime import Runtime
from .scheduler import Clock

__all__ = [
    "AnnotationRepeated",
    "App",
    "AppInvalid",
    "AttributeRepeated",
    "AttributeUnknown",
    "Clock",
    "DefinitionRepeated",
    "DefinitionUnknown",
    "EvaluationFailed",
    "EventInvalid",
    "Extensions",
    "FlowError",
    "FunctionUnknown",
    "QueryInvalid",
    "Runtime",
    "StateInvalid",
    "SyntaxInvalid",
]
