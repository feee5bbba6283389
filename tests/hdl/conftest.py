"""Fixtures of the front-end tests; the RTL is compiled once and kept in Teiden's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd


@pytest.fixture
def new_board() -> Iterator[Callable[..., CompiledFrontEnd]]:
    """Return a maker of boards that are closed after the test."""
    made: list[CompiledFrontEnd] = []

    def make(clocks_per_sample: int = 64) -> CompiledFrontEnd:
        made.append(CompiledFrontEnd(clocks_per_sample))
        return made[-1]

    yield make
    for board in made:
        board.close()


@pytest.fixture
def board(new_board: Callable[..., CompiledFrontEnd]) -> CompiledFrontEnd:
    """Return a board straight after reset."""
    return new_board()


@pytest.fixture
def driver(board: CompiledFrontEnd) -> FrontEnd:
    """Return the driver of that board, configured for 50 Hz and 100 V."""
    front_end = FrontEnd(board)
    front_end.configure(nominal_hz=50, nominal_v=100)
    return front_end
