"""The event-processing engine's rows beside the real Siddhi's, for small applications.

`python -m bench flow-rows`. Every window with four selections, patterns, sequences, joins, tables
and functions, each sent random events three times: one by one, with nulls, and in batches; tables,
windows and aggregations that are asked questions in between. Both run
in playback, so that time is that of the events and nothing is left to chance. Prints how many runs
give other rows, and of each the first row in which they differ. Siddhi is that of `bench.flow` (its
wheel carries 5.1.7, which tells every row of a batch) or of the jars in the folder `SIDDHI_JARS`.
What is left beside 5.1.30 stands in docs/flow/operations.md, "Where it departs from Siddhi".
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from bench.flow import JARS
from bench.flow_rows import applications
from bench.flow_rows.engines import first, ours, theirs
from bench.installation import directory


def main() -> None:
    """Run every application on both, and print where they differ."""
    jars = sorted(Path(os.environ.get("SIDDHI_JARS", JARS)).rglob("*.jar"))
    if not jars or shutil.which("java") is None:
        print("  Siddhi is not installed, so there is nothing to compare with: make bench-flow")
        return
    logging.getLogger("moorage_flow").setLevel(logging.CRITICAL)  # Events that both fail on.
    cases = list(applications.cases())
    with directory() as made:
        told = theirs(cases, made, os.pathsep.join(map(str, jars)))
    differ = 0
    for case, rows in zip(cases, told, strict=True):
        found = first(rows, ours(case))
        if found is not None:
            differ += 1
            app = case["app"].removeprefix(applications.HEAD)
            print(f"  {app}\n    Siddhi {found[0]}\n    here   {found[1]}")
    print(f"  {len(cases)} runs of {len(cases) // 3} applications: {differ} differ")
