"""Voltage and frequency against what the source says it gives."""

from __future__ import annotations

import pytest

from hil.campaign.looks import check_bench
from hil.evidence.bench import SETTLE_S, Bench
from hil.evidence.measures import Measures


@pytest.mark.requirement("R15")
@pytest.mark.parametrize("percent", [80, 90, 100, 110], ids="{} %".format)
def test_voltage(bench: Bench, measure: Measures, percent: int) -> None:
    station = bench.station
    volts = station.supply.nominal_v * percent / 100
    if volts > station.source.voltage_limit_v:
        pytest.skip(f"{volts:g} V is above source.voltage_limit_v = {station.source.voltage_limit_v:g} V")
    bench.supply(station.supply.nominal_hz, volts)
    bench.elapse(SETTLE_S)
    given_v, limit_v = bench.source.measure_voltage_v(), station.limits.voltage_pu * station.supply.nominal_v
    uncertainty = station.source.uncertainty_pu * station.supply.nominal_v
    seen_v = bench.front_end.measure().u_rms_half_v
    measure("RMS voltage", seen_v, "V", low=given_v - limit_v, high=given_v + limit_v, uncertainty=uncertainty)
    check_bench(bench, measure)


@pytest.mark.requirement("R15")
def test_frequency(bench: Bench, measure: Measures, near_hz: float) -> None:
    station = bench.station
    bench.supply(station.supply.nominal_hz)
    bench.source.frequency_hz = near_hz
    bench.elapse(2 * SETTLE_S)
    given_hz, limit_hz = bench.source.measure_frequency_hz(), station.limits.frequency_hz
    measure(
        "frequency", bench.front_end.measure().frequency_hz, "Hz", low=given_hz - limit_hz, high=given_hz + limit_hz
    )
    check_bench(bench, measure)
