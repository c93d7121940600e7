"""Run a supervisor over a real database and small real parts; for the tests, as a process."""

import os
import sys
from pathlib import Path

from moorage.entry import data_directory, postgres, supervisor
from moorage.kit import log
from moorage.kit.errors import MoorageError

PART = str(Path(__file__).with_name("part.py"))


def main(data_dir: Path, kinds: list[str]) -> None:
    log.configure("info", part="supervisor")
    plan = supervisor.Plan(
        data_dir=data_dir,
        environment={**os.environ, "MOORAGE_DATA_DIR": str(data_dir)},
        database=lambda: postgres.launch(data_dir, durable=False),
        fork_server=[sys.executable, PART],
        prepare=["nothing"],
        parts={kind: [kind, str(data_dir / f"{kind}.end")] for kind in kinds},
        welcome=["welcome", str(data_dir / "welcome")],
        wishes={"wished": data_dir / "wish"},
        silence_s=3.0,
    )
    with data_directory.locked(data_dir):
        supervisor.Supervisor(plan).run()


try:
    main(Path(sys.argv[1]), sys.argv[2:])
except MoorageError as failed:
    sys.exit(f"refused: {failed}")
