"""Blocks of ADC codes as a front-end takes them: rows of u1, i1, u2, i2."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hdl.scaling import CODE_MAX, CODE_MIN
from teiden.errors import InputError

CHANNELS = 4  # u1, i1, u2, i2


def as_rows(samples: npt.ArrayLike, currents: npt.ArrayLike | None) -> npt.NDArray[np.int32]:
    """Return rows of u1, i1, u2, i2, (n, 4); InputError for what no ADC gives.

    Parameters
    ----------
    samples : (n,), (n, 2) or (n, 4) integers
        ADC codes, 24 bit signed: of u1; of u1, i1; of u1, i1, u2, i2. A channel left out gets zeros.
    currents : (n,) integers, optional
        ADC codes of i1 beside ``samples`` of shape (n,).
    """
    codes = _codes("samples", samples, (1, 2, 4))
    if currents is not None:
        flowing = _codes("currents", currents, (1,))
        if codes.shape[1] != 1:
            raise InputError(f"currents beside samples of shape {codes.shape}, expected samples of shape (n,)")
        if len(flowing) != len(codes):
            raise InputError(f"{len(flowing)} currents, expected one for each of {len(codes)} samples")
        codes = np.concatenate([codes, flowing], axis=1)
    block = np.zeros((len(codes), CHANNELS), np.int32)
    block[:, : codes.shape[1]] = codes
    return block


def _codes(name: str, values: npt.ArrayLike, widths: tuple[int, ...]) -> npt.NDArray[np.integer]:
    """Return ADC codes as (n, channels)."""
    codes = np.asarray(values)
    shaped = codes.ndim == 1 or (codes.ndim == 2 and codes.shape[1] in widths[1:])
    if not shaped or (codes.size and codes.dtype.kind not in "iu"):
        expected = " or ".join(f"(n, {width})" if width > 1 else "(n,)" for width in widths)
        raise InputError(f"{name}: {codes.dtype} of shape {codes.shape}, expected integers of shape {expected}")
    if codes.size and (codes.min() < CODE_MIN or codes.max() > CODE_MAX):
        raise InputError(f"{name} reach {codes.min()} to {codes.max()}, expected {CODE_MIN} to {CODE_MAX}")
    return codes if codes.ndim == 2 else codes[:, np.newaxis]
