"""How names and numbers of a summary are put for a reader: units out of the key, digits that mean something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twin.study.pictures_style import count

# Ends of key names and the unit they stand for; the longest that fits counts.
UNITS = {
    "_s_per_h": "s per hour",
    "_ms": "ms",
    "_us": "µs",
    "_ns": "ns",
    "_s": "s",
    "_km": "km",
    "_m": "m",
    "_j": "J",
    "_w": "W",
    "_kw": "kW",
    "_v": "V",
    "_a": "A",
    "_hz": "Hz",
    "_db": "dB",
    "_dbm": "dBm",
    "_bps": "bit/s",
    "_bytes": "B",
    "_f": "F",
}
MOMENTS = ("t_s", "t0_s", "head_end_s")  # points in time, wanted to the microsecond
SHARES = ("_ratio", "_share")
# Keys whose words alone would mislead.
NAMES = {
    "rtl_hash": "RTL hash",
    "t0_source": "source of t0",
    "t0_bound": "bound on t0",
    "head_end": "verified at the head end",
    "on_air": "time on air",
    "time_to_50": "half of what arrives is there after",
    "time_to_90": "90 % of what arrives is there after",
    "time_to_99": "99 % of what arrives is there after",
    "wall": "wall-clock time",
    "sim": "simulated time",
}


def label(key: str) -> tuple[str, str]:
    """Return a key as words, and the unit its end stands for (empty if none)."""
    fits = [end for end in UNITS if key.endswith(end) and len(key) > len(end)]
    end = max(fits, key=len, default="")
    stem = key.removesuffix(end)
    return NAMES.get(stem, stem.replace("_", " ")), UNITS.get(end, "")


def number(value: Any) -> str:
    """Return a value to read: whole numbers with thousands apart, others with four digits, – for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return count(value) if value.is_integer() and abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def with_unit(value: Any, unit: str) -> str:
    """Return a value with its unit; that of a plain number, 1, is not written."""
    text = number(value)
    unit = "" if unit == "1" else unit
    return f"{text}\u00a0{unit}" if unit and text != "–" else text


def limit(level: Mapping[str, Any]) -> str:
    """Return a service level's limit, with its direction where the level says it."""
    text = with_unit(level.get("limit"), str(level.get("unit") or ""))
    if level.get("at_least") is None or text == "–":
        return text
    return f"{'≥' if level['at_least'] else '≤'}\u00a0{text}"


def lines(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Give name and value of everything in a mapping, nested ones by their path."""
    for key, value in values.items():
        words, unit = label(str(key))
        words = f"{above}: {words}" if above else words
        if isinstance(value, Mapping):
            yield from lines(value, words) if value else iter([(words, "none")])
        elif isinstance(value, (list, tuple)):
            yield words, ", ".join(number(entry) for entry in value) or "none"
        elif isinstance(value, float) and str(key).endswith(SHARES):
            yield words, f"{100 * value:.4g}\u00a0%"
        elif str(key) in MOMENTS and isinstance(value, float):
            yield words, f"{value:.6f}\u00a0s"
        elif str(key) == "seed" or "counter" in str(key):
            yield words, str(value)  # to be copied, not read
        else:
            yield words, with_unit(value, unit)
