"""Bodies of the decoders' routes."""

from .kept import (
    CaseResultOut,
    Cases,
    CopyBody,
    DecoderBody,
    DecoderInFullOut,
    DecoderOut,
    DecoderPatch,
    KindOut,
    OverviewOut,
    ProblemsOut,
    RestoreBody,
    TestCaseOut,
    VersionInFullOut,
    VersionOut,
)
from .trials import SuggestBody, SuggestionsOut, TrialOut, TryBody

__all__ = [
    "CaseResultOut",
    "Cases",
    "CopyBody",
    "DecoderBody",
    "DecoderInFullOut",
    "DecoderOut",
    "DecoderPatch",
    "KindOut",
    "OverviewOut",
    "ProblemsOut",
    "RestoreBody",
    "SuggestBody",
    "SuggestionsOut",
    "TestCaseOut",
    "TrialOut",
    "TryBody",
    "VersionInFullOut",
    "VersionOut",
]
