"""What a run models and what it leaves out, in words for its report."""

MODELLED = (
    "Grid: which substations are dark at each moment follows from pandapower's network, its switches and its ties; "
    "the dip during the short circuit from a voltage divider along the feeder.",
    "Board: one meter is the metering front-end's own RTL, compiled by Verilator, fed by a simulated AC source that "
    "PyVISA commands over TCP; its Last Gasp is made from what the RTL detected.",
    "Radio: every frame of every meter, with unslotted CSMA/CA, interference, capture, acknowledgements, retries, "
    "queues and ETX routes over one common channel.",
    "Energy: each dark meter lives on its own capacitor, aged by chance, and dies when listening and sending have "
    "emptied it; relays die too.",
    "Office: concentrators, a WAN with delay and loss, a head end that verifies every notice (AES-CCM, anti-replay), "
    "and that names the dark section from received notices alone.",
)

NOT_MODELLED = (
    "Concentrators stay powered for the whole run (battery).",
    "Routes are fixed for the run: no parent switching, no new discovery; a radio that had died is back after an "
    "assumed delay with its old route.",
    "A meter loses its supply at once when its voltage falls below one limit, and a hold-up store is full then.",
    "One radio channel, no frequency hopping, no regulatory limits on sending time.",
    "Virtual meters detect the loss after a delay drawn from falls that were measured on the front-end (or from a "
    "range, meter.detection); only the board detects by itself.",
    "Placement of meters, path loss, shadowing, pipe shafts, capacitors and all delays of the operator are assumed; "
    "every one is a setting of the scenario.",
)
