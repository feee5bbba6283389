"""What the rig needs of an AC source, whatever dialect it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from hil.source.program import Step


class AcSource(Protocol):
    """A programmable AC source that plays a program at a chosen point on wave.

    Every method that sends something raises PartFailed, naming the source and the command, if the source refuses
    it, does not answer or has gone away, and InputError for what the source cannot do.
    """

    voltage_v: float
    frequency_hz: float
    current_limit_a: float
    voltage_limit_v: float
    output_enabled: bool
    phase_sync_deg: float | None

    @property
    def identity(self) -> str:
        """Maker, model, serial number and firmware, as the source gives them."""

    def energise(
        self, voltage_v: float, frequency_hz: float, *, current_limit_a: float, voltage_limit_v: float
    ) -> None:
        """Set limits, read them back, set levels and only then switch the output on."""

    def reset(self) -> None:
        """Put the source into its reset state: output off, 0 V."""

    def errors(self) -> list[str]:
        """Return and clear the errors the source has queued."""

    def check(self) -> None:
        """Raise PartFailed if the source has queued errors."""

    def measure_voltage_v(self) -> float:
        """Return the measured RMS voltage [V]."""

    def measure_frequency_hz(self) -> float:
        """Return the measured frequency [Hz]."""

    def measure_current_a(self) -> float:
        """Return the measured RMS current [A]."""

    def measure_power_w(self) -> float:
        """Return the measured active power [W]."""

    def arm(self, program: Sequence[Step]) -> None:
        """Load a program and wait for `fire`.

        What an open last step holds is held until then; a program still playing is ended.
        """

    def fire(self) -> None:
        """Start the armed program."""

    def abort(self) -> None:
        """Stop a program and disarm."""

    def close(self) -> None:
        """Switch the output off and end the connection."""

    def __enter__(self) -> AcSource: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
