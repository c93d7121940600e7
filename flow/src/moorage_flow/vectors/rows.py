"""Recorded rows beside those of a run, and what a vector wanted and did not get."""

from __future__ import annotations

from typing import Any

from ..values import to_float32

START = 1_700_000_000_123
"""The clock's first time where the vector does not record one."""


class Mismatch(Exception):
    """What a vector wanted and did not get."""


def as_recorded(calls: list[list[Any]], found: list[Any]) -> list[Any]:
    """Put the rows of one call, where they are the recorded ones, into the recorded order."""
    out: list[Any] = []
    for rows in calls:
        part = found[len(out) : len(out) + len(rows)]
        out += rows if bag(part) == bag(rows) else part
    return out + found[len(out) :]


def compare(where: str, wanted: list[Any], found: list[Any]) -> None:
    for at, (want, have) in enumerate(zip(wanted, found, strict=False)):
        if not _same_row(want, have):
            raise Mismatch(f"{where}, row {at}: wanted {want}, found {have}")
    if len(wanted) != len(found):
        more = (wanted if len(wanted) > len(found) else found)[min(len(wanted), len(found))]
        raise Mismatch(
            f"{where}: wanted {len(wanted)} rows, found {len(found)}; the next is {more}"
        )


def _same_row(want: list[Any], have: list[Any]) -> bool:
    return len(want) == len(have) and all(
        same(a, b) or _both_wall_clock(a, b) for a, b in zip(want, have, strict=True)
    )


RECORDING = range(1_795_000_000_000, 1_800_000_000_000)
"""When the vectors were recorded: such a value is the recording's wall clock, which no other run
has.
"""


def _both_wall_clock(want: Any, have: Any) -> bool:
    day = 86_400_000
    return (
        type(want) is int
        and type(have) is int
        and want in RECORDING
        and (have in RECORDING or START <= have < START + day)
    )


def same(want: Any, have: Any) -> bool:
    if isinstance(want, list) and isinstance(have, list | tuple):
        return len(want) == len(have) and all(same(a, b) for a, b in zip(want, have, strict=True))
    if isinstance(want, bool) or isinstance(have, bool):
        return want is have
    if isinstance(want, int | float) and isinstance(have, int | float):
        return want == have or to_float32(want) == to_float32(have)
    return bool(want == have)


def bag(rows: Any) -> list[str]:
    def cell(value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (
                repr(to_float32(float(value))) if isinstance(value, float) else repr(float(value))
            )
        return repr(value)

    return sorted("|".join(cell(v) for v in row) for row in rows or [])
