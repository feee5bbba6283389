"""One dip of an immunity table, played and judged."""

from __future__ import annotations

from hil.campaign.looks import check_bench, check_model, check_return, check_trigger, keep_waveform
from hil.evidence.bench import Bench, Played
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.tables import DipTest
from twin.field.meters import SAMPLE_NS

DETECT_S = 2e-3  # docs/front-end.md: a fall to 30 % or less is detected within 2 ms
SURE_PERCENT, NEVER_PERCENT = 30.0, 70.0  # the same: detected up to the one, never from the other on; between is grey
CONFIRM_PERCENT = 45.0  # Urms(1/2) below it confirms a loss
RESIDUAL_PU = 0.002  # IEC 61000-4-30:2015, 5.4.5.1, class A: residual voltage to 0.2 % of the declared one
FULL_CYCLES = 3.0  # so long a dip holds a whole cycle of Urms(1/2), wherever it begins
STEADY_CYCLES = 10.0  # below, the two cycles of Urms(1/2) decide the measured duration


def play_dip(bench: Bench, measure: Measures, attach: Attachments, dip: DipTest, angle: float) -> None:
    """Play a dip as often as the station says, with its rest after each, and judge what the front-end made of it."""
    campaign, hz = bench.station.campaign, bench.station.supply.nominal_hz
    bench.supply(hz)
    for number in range(campaign.repeats):
        played = bench.play(dip.program(bench.station.supply.nominal_v, hz, angle), tail_s=campaign.interval_s)
        check_trigger(bench, measure, played)
        _judge_detection(measure, dip, played, hz)
        _judge_dip(bench, measure, dip, played, hz)
        if number == 0:
            if dip.residual_percent <= SURE_PERCENT:
                check_model(bench, measure, played)
            keep_waveform(bench, attach, f"{dip.name}, at {angle:g} degrees", played)
    check_bench(bench, measure)


def _judge_detection(measure: Measures, dip: DipTest, played: Played, hz: int) -> None:
    suspicions, confirmed = played.count("power_fail"), played.count("power_fail_confirmed")
    if dip.residual_percent >= NEVER_PERCENT:
        measure("power failures suspected", suspicions, "events", high=0)
        return
    if dip.residual_percent > SURE_PERCENT:
        measure("power failures suspected", suspicions, "events")
    else:
        measure.delay("power failure detected after", played.delay_s("power_fail"), DETECT_S, played.t0)
    if dip.residual_percent > CONFIRM_PERCENT or dip.duration_s * hz <= 0.5:
        measure("power failures confirmed", confirmed, "events", high=0)
    elif dip.residual_percent <= SURE_PERCENT and dip.duration_s * hz >= FULL_CYCLES:
        measure("power failures confirmed", confirmed, "events", low=1, high=1)
    else:
        measure("power failures confirmed", confirmed, "events")
    if confirmed:
        check_return(measure, played, dip.duration_s)


def _judge_dip(bench: Bench, measure: Measures, dip: DipTest, played: Played, hz: int) -> None:
    """Compare what the voltage-quality events say with what was commanded; with a load, from one side only.

    The load's capacitor draws its inrush when the supply returns, and the source's current limit then lets the voltage
    come back later and lower: a dip may be deeper and longer than commanded, not less deep and not shorter.
    """
    loaded = bench.station.load.power_w > 0
    nominal_v, end = bench.station.supply.nominal_v, played.first("dip_end")
    cycles = dip.duration_s * hz
    measure("dips", played.count("dip_start"), "events", low=1, high=1)
    if end is None or end.extreme_v is None or cycles < FULL_CYCLES:
        return
    residual_v, allowed_v = nominal_v * dip.residual_percent / 100, RESIDUAL_PU * nominal_v
    uncertainty = bench.station.source.uncertainty_pu * nominal_v
    measure(
        "residual voltage",
        end.extreme_v,
        "V",
        low=None if loaded else residual_v - allowed_v,
        high=residual_v + allowed_v,
        uncertainty=uncertainty,
    )
    start = played.first("dip_start")
    if start is None or cycles < STEADY_CYCLES:
        return
    lasted_s, cycle_s = (end.sample - start.sample) * SAMPLE_NS * 1e-9, 1 / hz
    # IEC 61000-4-30:2015, 5.4.5.2, class A: half a cycle at the start and half a cycle at the end
    measure(
        "duration of the dip",
        lasted_s,
        "s",
        low=dip.duration_s - cycle_s,
        high=None if loaded else dip.duration_s + cycle_s,
    )
