"""Run in an environment with pynq by test_pynq.py: unmodified pynq.MMIO on the compiled front-end, results as JSON.

Works from the interpreter that has pynq, whatever the tests run on; prints one JSON object.
"""

from __future__ import annotations

import json

import numpy
import pynq
from pynq import MMIO

from hdl.capture import CaptureControl
from hdl.driver import FrontEnd
from hdl.pynq_port import BASE_ADDRESS, SIZE, PynqPort
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.pynq_device import simulated_device
from hdl.tb.trial import codes, sine

board = CompiledFrontEnd()
device = simulated_device(board)
mmio = MMIO(BASE_ADDRESS, SIZE)
port = PynqPort(mmio)
driver, capture = FrontEnd(port), CaptureControl(port)

found: dict[str, object] = {
    "pynq": pynq.__version__,
    "numpy": numpy.__version__,
    "mmio_module": MMIO.__module__,
    "identity": mmio.read(regs.ID),
    "version": driver.identify(),
}
mmio.write(regs.CAP_POST, 0x123)
found["written"] = [board.read32(regs.CAP_POST), mmio.read(regs.CAP_POST), int(mmio.array[regs.CAP_POST // 4])]
driver.configure(50, 100, interrupts=("event", "capture"))
capture.arm(pre_samples=99, post_samples=50)
found["quiet"] = port.wait_irq(0.0)
wave = numpy.concatenate([codes(sine(50, 0.3)), numpy.zeros(400, numpy.int32)])
board.push(wave)
found["interrupt"] = port.wait_irq(1.0)
found["events"] = [[event.kind, event.sample, event.u_rms_half_v] for event in driver.events()]
found["u_rms_half_v"] = driver.measure().u_rms_half_v
record = capture.read(("u1",))
found["capture"] = [record.first_sample, record.trigger_sample, record.codes[:, 0].tolist()]
board.close()
print(json.dumps(found))
