"""The dialects by name: the driver, what its simulated source speaks and the limits of the model."""

from __future__ import annotations

from dataclasses import dataclass

from hil.source.dialect import MakeDialect
from hil.source.dialect_681x import Dialect681x
from hil.source.dialect_chroma import DialectChroma
from hil.source.dialect_kikusui import DialectKikusuiLe
from hil.source.driver import AcSource681x
from hil.source.driver_chroma import AcSourceChroma
from hil.source.driver_kikusui import AcSourceKikusuiLe
from hil.source.instrument import CHROMA_TIMING, Instrument, Timing
from hil.source.link import Transcript
from hil.source.load import Impedance, RectifierLoad
from hil.source.scpi_source import ScpiSource
from hil.source.simulated import SimulatedSource
from teiden.errors import InputError


@dataclass(frozen=True)
class Kind:
    """One dialect."""

    driver: type[ScpiSource]
    simulated: MakeDialect
    timing: Timing

    @property
    def instrument(self) -> Instrument:
        """Limits of the usual model."""
        return self.driver.default_instrument


KINDS = {
    "681x": Kind(AcSource681x, Dialect681x, Timing()),
    "kikusui-le": Kind(AcSourceKikusuiLe, DialectKikusuiLe, Timing()),
    "chroma": Kind(AcSourceChroma, DialectChroma, CHROMA_TIMING),
}


def find_kind(dialect: str) -> Kind:
    """Return a dialect by its name; InputError naming those there are."""
    try:
        return KINDS[dialect]
    except KeyError:
        raise InputError(f"dialect = {dialect!r}, expected {', '.join(KINDS)}") from None


def open_source(
    resource_name: str, dialect: str, timeout_s: float = 2.0, *, transcript: Transcript | None = None
) -> ScpiSource:
    """Return the driver of a dialect, connected.

    Raises
    ------
    InputError
        For an unknown dialect, or an instrument that calls itself another make.
    MissingPart
        If nothing answers.
    """
    return find_kind(dialect).driver(resource_name, timeout_s, transcript=transcript)


def simulate(
    dialect: str,
    seed: int = 0,
    *,
    timing: Timing | None = None,
    load: RectifierLoad | None = None,
    impedance: Impedance = Impedance(),  # noqa: B008 (frozen)
) -> SimulatedSource:
    """Return a simulated source of a dialect, with the limits of its usual model; with its times, or others."""
    kind = find_kind(dialect)
    return SimulatedSource(
        seed,
        instrument=kind.instrument,
        timing=timing or kind.timing,
        dialect=kind.simulated,
        load=load,
        impedance=impedance,
    )
