"""What the campaign's tests are played with: the station's points on wave, dips and frequencies."""

from __future__ import annotations

import pytest

from hil.evidence.plugin import SESSION
from hil.source.tables import DipTest, iec_61000_4_11, semi_f47


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Fill in what follows from the station."""
    session = metafunc.config.stash[SESSION]
    station = session.station
    hz, campaign = station.supply.nominal_hz, station.campaign
    if "iec_dip" in metafunc.fixturenames:
        _dips(metafunc, "iec_dip", iec_61000_4_11(hz, campaign.environment))
    if "f47_dip" in metafunc.fixturenames:
        _dips(metafunc, "f47_dip", semi_f47())
    for name, angles in (("dip_angle", campaign.dip_angles_deg), ("fail_angle", campaign.fail_angles_deg)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, angles, ids=lambda angle: f"{angle:g} deg")
    if "near_hz" in metafunc.fixturenames:
        metafunc.parametrize("near_hz", (hz - 2.0, float(hz), hz + 2.0), ids=lambda value: f"{value:g} Hz")
    if "recording" in metafunc.fixturenames:
        metafunc.parametrize("recording", session.recordings, ids=lambda path: path.name)


def _dips(metafunc: pytest.Metafunc, name: str, dips: tuple[DipTest, ...]) -> None:
    metafunc.parametrize(name, dips, ids=lambda dip: f"{dip.residual_percent:g} % for {1e3 * dip.duration_s:.4g} ms")
