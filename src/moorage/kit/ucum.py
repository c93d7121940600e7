"""UCUM codes of units: the whole grammar, over the units that devices measure in.

The case sensitive form, such as `Cel`, `%`, `kW.h`, `m/s`, `[degF]` or `{beats}/min`. Left out
are the units of chemistry, medicine and history that no sensor speaks in; a code in braces says in
words what has no unit.

Source: The Unified Code for Units of Measure, version 2.2, sections 2 and 4.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 50
_PREFIXES: Final = "Ki|Mi|Gi|Ti|da|[YZEPTGMkhdcmunpfazy]"
_METRIC: Final = (
    "m|s|g|rad|K|C|cd|mol|sr|Hz|N|Pa|J|W|A|V|F|Ohm|S|Wb|Cel|T|H|lm|lx|Bq|Gy|Sv|L|l|ar|t|eV|u|pc|bar|B"
    r"|B\[V\]|B\[mV\]|B\[uV\]|B\[W\]|B\[kW\]|B\[SPL\]|bit|By|Bd|kat|U|eq|osm|cal|G|erg|dyn|P|St|Gal|Ci"
    r"|RAD|REM|m\[H2O\]|m\[Hg\]|\[iU\]"
)
_OTHERS: Final = (
    r"10\*|10\^|\[pi\]|%|\[ppth\]|\[ppm\]|\[ppb\]|\[pptr\]|gon|deg|''|'|min|h|d|wk|mo|a|atm|AU|sph|circ"
    r"|\[c\]|\[g\]|\[pH\]|\[degF\]|\[degR\]|\[Btu\]|\[HP\]|\[psi\]|\[in_i\]|\[ft_i\]|\[yd_i\]|\[mi_i\]"
    r"|\[nmi_i\]|\[kn_i\]|\[sin_i\]|\[sft_i\]|\[cin_i\]|\[cft_i\]|\[cyd_i\]|\[acr_us\]|\[gal_us\]|\[gal_br\]"
    r"|\[pt_us\]|\[qt_us\]|\[foz_us\]|\[lb_av\]|\[oz_av\]|\[lbf_av\]|\[in_i'Hg\]|\[in_i'H2O\]|\[CFU\]|\[ly\]"
)
# A comment in braces is brought to `{}`, and a part in brackets, once read, to `@`.
_COMMENT: Final = re.compile(r"\{[\x21-\x7a|~]*\}")
_INNER: Final = re.compile(r"\(([^()]+)\)")
_UNIT: Final = rf"(?:(?:{_PREFIXES})?(?:{_METRIC})|{_OTHERS})(?:[+-]?\d+)?(?:\{{\}})?"
_COMPONENT: Final = rf"(?:{_UNIT}|\{{\}}|[1-9]\d*|@)"
_TERM: Final = re.compile(rf"{_COMPONENT}(?:[./]{_COMPONENT})*")


def is_unit(code: str) -> bool:
    """Tell whether `code` is a UCUM code of the units known here."""
    if not 0 < len(code) <= LONGEST or "@" in code:
        return False
    left = _COMMENT.sub("{}", code)
    while inner := _INNER.search(left):
        if not _TERM.fullmatch(inner[1].removeprefix("/")):
            return False
        left = f"{left[: inner.start()]}@{left[inner.end() :]}"
    return _TERM.fullmatch(left.removeprefix("/")) is not None
