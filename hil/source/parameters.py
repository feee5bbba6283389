"""SCPI parameters: numbers with units and limits, choices, booleans and names, read exactly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hil.source.scpi import ScpiError, spell

INFINITY = Decimal("9.9E37")  # SCPI-1999 volume 1, 7.2.1.4
NOT_A_NUMBER = "9.91E37"  # 7.2.1.5

_NUMBER = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:\s*E\s*[+-]?\d+)?)\s*(?P<suffix>[A-Z]*)", re.ASCII)

_MILLI, _MICRO, _KILO = Decimal("1E-3"), Decimal("1E-6"), Decimal("1E3")
VOLT = {"V": Decimal(1), "MV": _MILLI, "UV": _MICRO, "KV": _KILO}
AMPERE = {"A": Decimal(1), "MA": _MILLI}
HERTZ = {"HZ": Decimal(1), "KHZ": _KILO, "MHZ": Decimal("1E6")}  # MHZ is mega: SCPI-1999 volume 1, 7.2.2
SECOND = {"S": Decimal(1), "MS": _MILLI, "US": _MICRO}
DEGREE = {"DEG": Decimal(1)}
NO_UNIT: Mapping[str, Decimal] = {}


@dataclass(frozen=True)
class Number:
    """A numeric parameter.

    Parameters
    ----------
    low, high, default : Decimal
        Limits and the value after ``*RST``, in the base unit.
    units : mapping
        Accepted suffixes and their factors.
    infinite : bool
        Values of 9.9E37 and above, and ``INFinity``, are taken besides those within the limits.
    whole : bool
        Fractions are rounded.
    """

    low: Decimal
    high: Decimal
    default: Decimal
    units: Mapping[str, Decimal]
    infinite: bool = False
    whole: bool = False

    def read(self, text: str) -> Decimal:
        """Return the value of a parameter's text; ScpiError if it is no number or out of range."""
        word = text.upper()
        if word in spell("MINimum"):
            return self.low
        if word in spell("MAXimum"):
            return self.high
        if word in spell("DEFault"):
            return self.default
        if word in spell("INFinity") and self.infinite:
            return INFINITY
        value = self._scaled(word)
        if self.infinite and value >= INFINITY:
            return INFINITY
        if not self.low <= value <= self.high:
            raise ScpiError(-222)
        return value.to_integral_value() if self.whole else value

    def _scaled(self, word: str) -> Decimal:
        match = _NUMBER.fullmatch(word)
        if match is None:
            raise ScpiError(-104)
        mantissa, _, exponent = match["number"].replace(" ", "").partition("E")
        if abs(int(exponent[:6] or "0")) > 99 or len(exponent) > 5:
            raise ScpiError(-123)
        if match["suffix"] and match["suffix"] not in self.units:
            raise ScpiError(-131)
        return Decimal(f"{mantissa}E{exponent or 0}") * self.units.get(match["suffix"], Decimal(1))

    def format(self, value: Decimal) -> str:
        """Return a value as a reply."""
        return f"{int(value):d}" if self.whole and value < INFINITY else f"{float(value):+.6E}"


def read_numbers(number: Number, parameters: Sequence[str], at_most: int) -> list[Decimal]:
    """Return the values of a list of 1 to `at_most` parameters."""
    if not parameters:
        raise ScpiError(-109)
    if len(parameters) > at_most:
        raise ScpiError(-223)
    return [number.read(text) for text in parameters]


def only(parameters: Sequence[str]) -> str:
    """Return the one parameter of a command that takes one."""
    if not parameters:
        raise ScpiError(-109)
    if len(parameters) > 1:
        raise ScpiError(-108)
    return parameters[0]


def none(parameters: Sequence[str]) -> None:
    """Refuse parameters of a command that takes none."""
    if parameters:
        raise ScpiError(-108)


def read_choice(choices: Sequence[str], text: str) -> str:
    """Return the short form of the choice (written ``FIXed``) that a text spells."""
    for choice in choices:
        if text.upper() in spell(choice):
            return "".join(letter for letter in choice if not letter.islower())
    raise ScpiError(-224)


def read_boolean(text: str) -> bool:
    """Return whether a text says ON or 1; OFF and 0 are the other two it may say."""
    if text.upper() not in ("ON", "OFF", "1", "0"):
        raise ScpiError(-224 if text[:1].isalpha() else -104)
    return text.upper() in ("ON", "1")


def read_name(text: str) -> str:
    """Return a waveform's name, quoted or not, in capitals."""
    name = text.strip("\"'").upper()
    if re.fullmatch(r"[A-Z][A-Z0-9_]{0,15}", name, re.ASCII) is None:
        raise ScpiError(-224)
    return name
