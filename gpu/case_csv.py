"""Columns of numbers from a CSV file: a million rows in a fraction of a second, every wrong cell with its line.

A plain file (digits, commas, one row a line) goes through Arrow's reader. Anything else, and anything that Arrow
refuses, is read row by row, which is slower and can say what is wrong where.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

SHOWN = 10  # problems of one kind a file; the rest is counted
_LIMIT = 1 << 53  # whole numbers are exact below it, as floats too
_UNUSUAL = re.compile(rb"[^0-9eE+\-., \r\n]")  # quotes, words, nan, 0x10, 1_000, other encodings
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass
class Columns:
    """A CSV file's columns and the line each row stands on."""

    name: str
    columns: dict[str, NDArray]
    lines: NDArray[np.int64]

    def at(self, row: int | np.integer) -> str:
        """Return the place of a row."""
        return f"{self.name} line {self.lines[row]}"

    def report(self, problems: list[str], rows: NDArray[np.int64], say: Callable[[int], str]) -> None:
        """Add a problem a row, the first few of them; ``say`` gives what is wrong with a row."""
        problems += [f"{self.at(row)}: {say(int(row))}" for row in rows[:SHOWN]]
        if rows.size > SHOWN:
            problems.append(f"{self.name}: {rows.size - SHOWN:,} more lines like line {self.lines[rows[SHOWN - 1]]}")


def read_columns(path: Path, kinds: Mapping[str, type], problems: list[str]) -> Columns:
    """Read the named columns; each row with a problem is reported and left out.

    Parameters
    ----------
    path : Path
    kinds : mapping
        int or float by column name; other columns of the file are ignored.
    problems : list of str
        Gets ``file line n: key = value, expected ...``.
    """
    if not path.is_file():
        what = "is no file" if path.exists() else "no such file"
        problems.append(f"{path.name}: {what} in {path.parent}, expected one with the columns {','.join(kinds)}")
        return _empty(path.name, kinds)
    try:
        return _read_plain(path, kinds) or _read_rows(path, kinds, problems)
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        problems.append(f"{path.name}: not a CSV file in UTF-8 ({problem})")
        return _empty(path.name, kinds)


def _empty(name: str, kinds: Mapping[str, type]) -> Columns:
    return Columns(name, {key: np.empty(0, _dtype(kind)) for key, kind in kinds.items()}, np.empty(0, np.int64))


def _dtype(kind: type) -> type:
    return np.int64 if kind is int else np.float64


def _read_plain(path: Path, kinds: Mapping[str, type]) -> Columns | None:
    """Return the columns of a file in which row i stands on line i + 2, or None if it is not that plain."""
    data = path.read_bytes()
    head = data.find(b"\n") + 1
    names = data[:head].removeprefix(b"\xef\xbb\xbf").strip().split(b",")
    plain = head and len(set(names)) == len(names) and b"\n\n" not in data and b"\n\r\n" not in data
    if not plain or _UNUSUAL.search(data, head) or data.count(b"\r") not in (0, data.count(b"\n")):
        return None
    types = {key: pa.int64() if kind is int else pa.float64() for key, kind in kinds.items()}
    convert = pa_csv.ConvertOptions(column_types=types, include_columns=list(kinds), null_values=[])
    try:
        table = pa_csv.read_csv(pa.BufferReader(data), convert_options=convert)
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    columns = {key: table[key].to_numpy() for key in kinds}
    if any(not (np.abs(column) < _LIMIT).all() for column in columns.values()):
        return None
    return Columns(path.name, columns, np.arange(2, table.num_rows + 2))


def _read_rows(path: Path, kinds: Mapping[str, type], problems: list[str]) -> Columns:
    """Read row by row and report every cell that is no number."""
    found = _Found(path.name, problems)
    rows: list[list[float]] = []
    lines: list[int] = []
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        header = [name.strip() for name in next(reader, [])]
        if not _check_header(path.name, header, kinds, problems):
            return _empty(path.name, kinds)
        places = [(key, header.index(key), kind) for key, kind in kinds.items()]
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                found.add(reader.line_num, f"{len(cells)} values, expected {len(header)} ({','.join(header)})")
                continue
            values = [_number(cells[place], kind) for _, place, kind in places]
            good = [value for value in values if value is not None]
            if len(good) == len(values):
                rows.append(good)
                lines.append(reader.line_num)
                continue
            for value, (key, place, kind) in zip(values, places, strict=True):
                if value is None:
                    kind_name = "a whole number" if kind is int else "a finite number"
                    found.add(reader.line_num, f"{key} = {cells[place]!r}, expected {kind_name}")
    found.close()
    columns: dict[str, NDArray] = {
        key: np.array([row[i] for row in rows], _dtype(kind)) for i, (key, kind) in enumerate(kinds.items())
    }
    return Columns(path.name, columns, np.array(lines, np.int64))


def _check_header(name: str, header: Sequence[str], kinds: Mapping[str, type], problems: list[str]) -> bool:
    """Return whether every column is there once."""
    expected = f"expected {','.join(kinds)}"
    missing = [key for key in kinds if key not in header]
    twice = [key for key in kinds if header.count(key) > 1]
    if missing:
        first = f"; line 1 is {','.join(header)[:80]!r}" if header else "; the file is empty"
        problems.append(f"{name}: columns {', '.join(missing)} missing, {expected}{first}")
    if twice:
        problems.append(f"{name} line 1: columns {', '.join(twice)} given twice, {expected}")
    return not missing and not twice


def _number(text: str, kind: type) -> float | None:
    """Return a cell's number, None if it is none."""
    text = text.strip()
    if not (_WHOLE if kind is int else _NUMBER).fullmatch(text):
        return None
    value = kind(text)
    return value if math.isfinite(value) and abs(value) < _LIMIT else None


class _Found:
    """Problems of one file, the first few in words and the rest as a count."""

    def __init__(self, name: str, problems: list[str]):
        self._name, self._problems = name, problems
        self._count = 0

    def add(self, line: int, text: str) -> None:
        self._count += 1
        if self._count <= SHOWN:
            self._problems.append(f"{self._name} line {line}: {text}")

    def close(self) -> None:
        if self._count > SHOWN:
            self._problems.append(f"{self._name}: {self._count - SHOWN:,} more values that are no numbers")
