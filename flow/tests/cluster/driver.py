"""Runs jobs of Flink SQL on the local mini-cluster, in Flink's own environment.

Standard input is a JSON list of `{"statements": […], "query": …}`, the last line of standard output
a list of each job's rows.
"""

from __future__ import annotations

import json
import sys

from pyflink.table import EnvironmentSettings, TableEnvironment


def main() -> None:
    """Run every job in the one virtual machine that PyFlink starts."""
    told = []
    for job in json.load(sys.stdin):
        table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        table.get_config().set("parallelism.default", "1")
        for statement in job["statements"]:
            table.execute_sql(statement.rstrip().rstrip(";"))
        with table.execute_sql(job["query"]).collect() as rows:
            told.append([list(row) for row in rows])
    sys.stdout.write(f"\n{json.dumps(told)}\n")


if __name__ == "__main__":
    main()
