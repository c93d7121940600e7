"""Vendors' formats: each script of tests/payloads passes its cases."""

from pathlib import Path

import pytest

from moorage.entry import cli_decoder

PAYLOADS = Path(__file__).parents[1] / "payloads"


@pytest.mark.parametrize(
    "script", sorted(PAYLOADS.glob("*/*.js")), ids=lambda path: f"{path.parent.name} {path.stem}"
)
def test_a_vendors_payloads_are_decoded(script: Path) -> None:
    results = cli_decoder.test_script(script, script.with_suffix(".cases.json"))

    assert results
    assert [(r.name, r.difference) for r in results if r.difference] == []
