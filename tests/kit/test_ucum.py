"""Units by their UCUM codes."""

from __future__ import annotations

import pytest

from moorage.kit.ucum import is_unit

UNITS = (
    "Cel % 1 V mV kW.h m3/h /min 10*-6/m3 m/s J/(kg.K) mol/(L.(s)) [degF] [in_i'Hg] dB[SPL] dB "
    "ug/m3 [ppm] hPa uS/cm {beats}/min m{depth} {index} A.h KiBy mm[Hg]"
)
OTHERS = "°C degC celsius ppm m/ m//s (m m) () m() m(s) ()m (m)2 kmin {a{b}} m{°} . foo"


@pytest.mark.parametrize("code", UNITS.split())
def test_what_devices_measure_in_is_a_unit(code: str) -> None:
    assert is_unit(code)


@pytest.mark.parametrize("code", [*OTHERS.split(), "", " m", "m ", "m\0", "m" * 51])
def test_what_reads_like_a_unit_is_none(code: str) -> None:
    assert not is_unit(code)
