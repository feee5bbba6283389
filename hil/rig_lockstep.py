"""The rig's board in lockstep: source, front-end and firmware, moved by the twin's grants."""

from __future__ import annotations

from collections.abc import Iterator

from hil.board import FedPort, Wiring
from hil.clock import TriggerDelay
from hil.link import RigSide
from hil.rig_board import BoardOnSource
from hil.source.interface import AcSource
from twin import wire
from twin.field.meters import SAMPLE_NS

LOOK_SAMPLES = 60  # registers are read this often: 7.5 ms, so that no half cycle of 45 to 65 Hz is missed


class Rig(BoardOnSource):
    """A board whose samples come from this process.

    Parameters
    ----------
    configure, link, source
        As of `BoardOnSource`.
    wiring : Wiring
        Moves source and board.
    port : FedPort
    delay : TriggerDelay
    """

    def __init__(
        self,
        configure: wire.Configure,
        link: RigSide,
        source: AcSource,
        wiring: Wiring,
        port: FedPort,
        delay: TriggerDelay,
    ):
        super().__init__(configure, link, source, port, delay)
        self._wiring = wiring

    def run(self) -> None:
        """Serve grants until the twin says stop."""
        while not isinstance(message := self._link.receive(), wire.Stop):
            assert isinstance(message, wire.Grant)
            self._window(message)
        self._report()

    def _window(self, grant: wire.Grant) -> None:
        for change in grant.supply:
            self._play_supply(change)
        until = grant.until_ns // SAMPLE_NS
        while self._wiring.samples < until:
            self._step(min(LOOK_SAMPLES, until - self._wiring.samples))
        for downlink in grant.downlinks:
            self._send_notice(self._firmware.poll(downlink), downlink.poll)
        self._send_due(grant.until_ns)
        self._link.send(wire.Done(grant.window, grant.until_ns, self._link.sent))

    def _step(self, n_samples: int) -> None:
        """Play some samples and take what the front-end registered."""
        self._look(self._wiring.run(n_samples))

    def _samples(self) -> int:
        return self._wiring.samples

    def _flags(self) -> Iterator[str]:
        yield from super()._flags()
        if self._wiring.saturated:
            yield "source: voltage beyond the range of the board's ADC"
