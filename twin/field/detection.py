"""How long virtual meters take to detect that they lost their supply: delays measured on the front-end.

The table comes from outside as arrays, made by driving the metering front-end through falls of the voltage
(``teiden characterise``); nothing here knows the front-end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teiden.errors import InputError
from twin.chance import Purpose, uniform

MISSED = -1


@dataclass(frozen=True)
class DetectionTable:
    """Delays of detection over the residual voltage.

    Attributes
    ----------
    residual_pu : (R,) float
        Voltage that is left, over nominal; ascending.
    delay_ns : (R, K) int
        What each of K measured cases took from the fall to the detection; `MISSED` where the front-end did not
        detect it or took it back.
    rtl_hash : str
        Of the RTL that was measured.
    """

    residual_pu: NDArray[np.float64]
    delay_ns: NDArray[np.int64]
    rtl_hash: str

    def __post_init__(self) -> None:
        rows, cases = self.delay_ns.shape
        if rows != self.residual_pu.size or not rows or not cases:
            raise InputError(f"detection table: {rows} rows of {cases} delays, expected one for each of "
                             f"{self.residual_pu.size} residual voltages and at least one case")  # fmt: skip
        if (np.diff(self.residual_pu) <= 0).any():
            raise InputError("detection table: residual voltages do not rise")
        if (self.delay_ns < MISSED).any():
            raise InputError(f"detection table: delay of {self.delay_ns.min()} ns, expected 0 or more (or missed)")

    def draw_ns(
        self, seed: int, meter: NDArray[np.int64], occasion: int, residual_pu: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return the delay of each meter [ns], `MISSED` for those that do not detect it.

        A meter gets one of the measured cases of the row whose residual voltage is nearest to its own, each with
        the same probability: its point on wave is as good as random.

        Parameters
        ----------
        meter : (M,) int
        occasion : int
            Of the draw, with the meter's number; the same one gives the same delay.
        residual_pu : (M,) float
        """
        middles = (self.residual_pu[1:] + self.residual_pu[:-1]) / 2
        row = np.searchsorted(middles, residual_pu)
        share = uniform(seed, meter, occasion, Purpose.DETECTION)
        case = np.minimum((share * self.delay_ns.shape[1]).astype(np.int64), self.delay_ns.shape[1] - 1)
        return self.delay_ns[row, case]
