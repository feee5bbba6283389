"""What a collection run models and what it leaves out, in words for its report."""

from __future__ import annotations

from gpu import Radio

_MODELLED = (
    "Meters: every meter opens a message of each of its classes at the end of each interval and offers it to the radio "
    "at its own random moment.",
    "Radio: every frame of every meter, with unslotted CSMA/CA, interference, capture, acknowledgements, retries, "
    "queues, ETX routes, and messages that share a transmission.",
    "Concentrators: batches that are kept and sent again until the head end has acknowledged them; a bounded memory.",
    "Head end: workers that take time for each batch and value, a bounded queue, group commits to a store that is on "
    "disk, re-requests of what is missing, paced requests and commands in sealed bytes that meters open and answer.",
)
_LINKS = (
    "Other links: power-line cells (one frame at a time, noise by cell), cellular cells (random access, sessions, "
    "registration), handy terminals (visits a day)."
)
_NOT_MODELLED = (
    "Placement of meters, path loss, shadowing, pipe shafts, header sizes and all delays of the office are assumed; "
    "every one is a setting of the scenario.",
)


def modelled(radio: Radio, other_links: bool = False) -> list[str]:
    """Return what a run with this radio models, and with other links beside it."""
    found = [*_MODELLED, _LINKS] if other_links else list(_MODELLED)
    if radio.channels > 1:
        found.append(f"Hopping: {radio.channels} channels, own schedules.")
    if radio.tree == "living":
        found.append("Routes: meters choose and lose parents, search and join with the timers of Wi-SUN stacks.")
    return found


def not_modelled(radio: Radio) -> list[str]:
    """Return what a run with this radio leaves out."""
    found = list(_NOT_MODELLED)
    if radio.tree == "static":
        found.append('Routes are fixed for the run (radio.overrides.tree = "living").')
    if radio.background_load == 0:
        found.append("No other systems on the band (radio.overrides.background_load).")
    return found
