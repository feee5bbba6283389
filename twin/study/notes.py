"""What a run models and what it leaves out, in words for its report."""

from __future__ import annotations

from gpu import Radio

_MODELLED = (
    "Grid: which substations are dark at each moment follows from pandapower's network, its switches and its ties; "
    "the dip during the short circuit from a voltage divider along the feeder.",
    "Board: one meter is the metering front-end's own RTL, compiled by Verilator, fed by a simulated AC source that "
    "PyVISA commands over TCP; its Last Gasp is made from what the RTL detected.",
    "Radio: every frame of every meter, with unslotted CSMA/CA, interference, capture, acknowledgements, retries, "
    "queues and ETX routes.",
    "Energy: each dark meter lives on its own capacitor, aged by chance, and dies when listening and sending have "
    "emptied it; relays die too.",
    "Office: concentrators, a WAN with delay and loss, a head end that verifies every notice (AES-CCM, anti-replay), "
    "and that names the dark section from received notices alone.",
)

_NOT_MODELLED = (
    "Concentrators stay powered for the whole run (battery).",
    "A meter loses its supply at once when its voltage falls below one limit, and a hold-up store is full then.",
    "Virtual meters detect the loss after a delay drawn from falls that were measured on the front-end (or from a "
    "range, meter.detection); only the board detects by itself.",
    "Placement of meters, path loss, shadowing, pipe shafts, capacitors and all delays of the operator are assumed; "
    "every one is a setting of the scenario.",
)

_LIVING = (
    "Routes: meters choose their parents from advertisements they hear, switch when one dies or a better one comes; "
    "a radio that had died searches, joins and, in another PAN, authenticates with the timers of Wi-SUN stacks."
)
_STATIC = (
    "Routes are fixed for the run: no parent switching, no new discovery; a radio that had died is back after an "
    'assumed delay with its old route (radio.overrides.tree = "living" models all of this).'
)


def modelled(radio: Radio, outside: str = "") -> list[str]:
    """Return what a run with this radio models; ``outside`` is the simulator that gave the supply, if one did."""
    found = list(_MODELLED)
    if outside:
        found[0] = f"Grid: the supply at each moment is what {outside} gave (inputs in exchange.jsonl)."
    if radio.tree == "living":
        found.append(_LIVING)
    if radio.channels > 1:
        found.append(f"Hopping: {radio.channels} channels, own schedules and broadcast dwells.")
    if radio.regulation != "none":
        found.append(
            f"Sending: pause {radio.pause_us / 1000:g} ms, {radio.airtime_limit_us / 1e6:g} s in "
            f"{radio.airtime_window_us / 60e6:g} min, bursts up to {radio.burst_limit_us / 1000:g} ms "
            f"({radio.regulation})."
        )
    return found


def not_modelled(radio: Radio) -> list[str]:
    """Return what a run with this radio leaves out."""
    found = list(_NOT_MODELLED)
    if radio.tree == "static":
        found.insert(1, _STATIC)
    if radio.channels == 1:
        found.append("One radio channel, no frequency hopping (radio.overrides.channels).")
    if radio.background_load == 0:
        found.append("No other systems on the band (radio.overrides.background_load).")
    return found
