"""The corpus of losses, non-events and declared rows, and the array form of the model that runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hdl.model import FrontEndModel, HalfCycle, PowerFail, Settings, ZeroCross
from hdl.tb import batch, declared, detection, nonevents
from hdl.tb.trial import SHORT_RETURN_SAMPLES


def one_by_one(samples: list[int], settings: Settings) -> list[tuple[int, int]]:
    """Return the events, (sample, kind), that the integer model makes of one case."""
    zero_cross, half_cycle, detector = ZeroCross(settings), HalfCycle(), PowerFail(settings)
    events = []
    for at, code in enumerate(samples):
        fresh = half_cycle.publish()
        kind = detector.step(code, half_cycle.shown, fresh)
        if kind:
            events.append((at, kind))
        boundary = zero_cross.step(code)
        half_cycle.step(at, zero_cross.delayed, boundary)
    return events


def wild(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a wave, (count,), of pieces of any level, frequency and offset, down to nothing and up to the rails."""
    pieces: list[np.ndarray] = []
    while sum(piece.size for piece in pieces) < count:
        size = int(rng.integers(5, 500))
        level = rng.choice([0.0, 0.01, 0.2, 0.44, 0.6, 1.0, 1.0, 1.0, 2.5])
        angle = 2 * np.pi * rng.uniform(30, 90) * np.arange(size) / 8000 + rng.uniform(0, 7)
        pieces.append(level * np.sin(angle) + rng.choice([0.0, 0.0, 0.3]) + rng.normal(0, 0.002, size))
    return np.concatenate(pieces)[:count]


def test_array_form_makes_the_events_of_the_integer_model() -> None:
    rng = np.random.default_rng(5)
    settings = Settings(confirm=100, return_samples=60)
    waves = np.stack([wild(rng, 3000) for _ in range(24)], axis=1)
    samples = np.clip(np.rint(waves * (1 << 22)), -(1 << 23), (1 << 23) - 1).astype(np.int32)
    found = batch.detect(samples, settings, np.full(24, 5))
    kinds = set(found.kind.tolist())
    for place in range(24):
        mine = found.case == place
        events = list(zip(found.sample[mine].tolist(), found.kind[mine].tolist(), strict=True))
        assert events == one_by_one(samples[:, place].tolist(), settings), f"case {place}"
    assert kinds == {1, 2, 3, 4}


def test_roots_are_those_of_whole_numbers() -> None:
    # Squares and their neighbours, where a rounded root would be off by one.
    roots = np.array([1, 2, 3, (1 << 27) - 1, 94_906_267, 100_000_007], np.int64)
    for offset, expected in ((0, 0), (-1, -1), (1, 0)):
        squares = roots * roots + offset
        assert (batch.roots(squares << 0, np.full(roots.size, 1 << 24)) == roots + expected).all()


def test_settings_are_those_the_driver_writes() -> None:
    assert detection.settings_for(50) == Settings(return_samples=SHORT_RETURN_SAMPLES)  # reset values are for 50 Hz
    assert detection.settings_for(60).k == 5428  # round(256 / tan(2 pi 60 / 8000))
    assert detection.settings_for(60).confirm == 133


def test_wave_of_the_model_is_what_the_whole_model_sees() -> None:
    (_, case), *_ = detection.all_losses(50.0, 1)
    model = FrontEndModel(detection.settings_for(50))
    codes = np.rint(case.wave * (1 << 22)).astype(int)
    model.push(codes.tolist())
    (tried,) = detection.try_all([("one", case)], 50)
    assert [(kind, sample) for kind, sample, _ in model.events] == list(tried.events)


def check(found: dict[str, Any]) -> None:
    losses, others = found["losses"], found["non_events"]
    assert losses["missed"] == losses["later_than_2_ms"] == losses["not_ready"] == 0
    assert others["false_alarms"] == 0, others["first_false_alarms"]
    assert others["not_ready"] == 0
    for name, row in found["declared"].items():
        if name != declared.STRONG_RING:
            assert row["missed"] == 0, name
            assert row["worst_ms"] <= row["bar_ms"], name
    assert found["declared"][declared.STRONG_RING]["confirmed"] == 0
    assert found["replayed_on_rtl"]["differ"] == 0, found["replayed_on_rtl"]["first"]


def test_losses_are_seen_and_the_rest_let_pass_at_two_points_on_wave() -> None:
    found = detection.figures(points=2, replays=20)
    check(found)
    assert found["replayed_on_rtl"]["cases"] >= 10


@pytest.mark.slow
def test_losses_are_seen_and_the_rest_let_pass_at_twelve_points_on_wave() -> None:
    found = detection.figures(points=12, replays=200)
    check(found)
    assert found["losses"]["losses"] == 10 * (12 * 72 + 250)
    assert found["replayed_on_rtl"]["cases"] >= 100


def test_corpus_holds_more_than_70000_non_events() -> None:
    names = [name for name, _ in nonevents.families(50.0, 0.0, {}, 0.08)]
    assert len(names) * len(nonevents.WAVEFORMS) * 48 * 10 >= 70_000
    assert len(set(names)) == 13
