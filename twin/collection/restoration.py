"""How struck meters come back: from the return of their supply to the first value, and to the last gap filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.collection.blackout import Blackout
from twin.collection.ledger import NEVER, Messages


@dataclass(frozen=True)
class Returns:
    """One entry a meter that lost its supply and got it back within the run.

    Attributes
    ----------
    meters : (R,) int
    off_ns, on_ns : (R,) int
    first_value_s : (R,) float
        From the return of supply until a value measured after it is stored; infinite if none is.
    filled_s : (R,) float
        ... until all values measured before the loss are stored; 0 if they were before, infinite if one never is.
    """

    meters: NDArray[np.int64]
    off_ns: NDArray[np.int64]
    on_ns: NDArray[np.int64]
    first_value_s: NDArray[np.float64]
    filled_s: NDArray[np.float64]


def returns(blackout: Blackout, rows: Messages, end_ns: int) -> Returns:
    """Return what the billing messages say of the meters that came back.

    Parameters
    ----------
    blackout : Blackout
    rows : (M,) ledger rows
        Messages of the billing class.
    end_ns : int
        End of the run.
    """
    struck = blackout.struck[blackout.on_ns[blackout.struck] < end_ns]
    count = blackout.off_ns.size
    stored_ns = np.where(rows["stored_ns"] == NEVER, np.inf, rows["stored_ns"])
    after = rows["interval_ns"] > blackout.on_ns[rows["meter"]]
    first_ns = np.full(count, np.inf)
    np.minimum.at(first_ns, rows["meter"][after], stored_ns[after])
    before = rows["interval_ns"] <= blackout.off_ns[rows["meter"]]
    last_ns = np.full(count, -np.inf)
    np.maximum.at(last_ns, rows["meter"][before], stored_ns[before])
    on_ns = blackout.on_ns[struck]
    return Returns(struck, blackout.off_ns[struck], on_ns, (first_ns[struck] - on_ns) / 1e9,
                   np.maximum((last_ns[struck] - on_ns) / 1e9, 0.0))  # fmt: skip
