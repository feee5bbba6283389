"""Run every row of the speed table and print it, floor and aim beside: the one command behind docs/engine.md's table.

Each row is a script of its own and leaves benches/results/NAME.json. --table prints what the result files hold without
running anything, --docs puts it into docs/engine.md. A quiet machine matters for all of them; the scripts note the load
they met.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import radio_bench as rb

SCRIPTS = ("frames_vs_ns3", "growth", "instructions", "memory", "setup", "collection", "storm", "country", "threads",
           "lockstep", "cuda")  # fmt: skip
BEGIN, END = "<!-- speed: python benches/radio_speed.py --docs -->", "<!-- end -->"


def main() -> None:
    """Run what was asked for, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {', '.join(SCRIPTS)}  [default: all]")
    parser.add_argument("--quick", action="store_true", help="smaller cases that leave no result file")
    parser.add_argument("--table", action="store_true", help="run nothing, print the result files")
    parser.add_argument("--docs", action="store_true", help="run nothing, put the result files into docs/engine.md")
    given = parser.parse_args()
    wrong = [row for row in given.rows if row not in SCRIPTS]
    if wrong:
        parser.error(f"no row {', '.join(wrong)}, expected some of {', '.join(SCRIPTS)}")
    wanted = given.rows or SCRIPTS
    failed = []
    for name in () if given.table or given.docs else wanted:
        script = Path(__file__).with_name(f"radio_{name}.py")
        print(f"--- {script.name}", flush=True)
        if subprocess.run([sys.executable, str(script), *(["--quick"] if given.quick else [])]).returncode:
            failed.append(name)
    if given.docs:
        write_docs()
    elif not given.quick:
        print("---")
        for report in results(wanted):
            print(*(f"{rb.table_line(row)} [{report['commit']}]" for row in report["rows"]), sep="\n")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def results(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the result files there are."""
    files = [rb.RESULTS / f"radio_{name}.json" for name in names]
    return [json.loads(file.read_text()) for file in files if file.is_file()]


def write_docs() -> None:
    """Replace the table between the markers of docs/engine.md."""
    page = rb.ROOT / "docs" / "engine.md"
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END, 1)
    lines = ["| | floor | aim | measured | |", "|---|---|---|---|---|"]
    reports = results(SCRIPTS)
    for report in reports:
        for row in report["rows"]:
            value = "not measured" if row["value"] is None else f"{row['value']:,g} {row['unit']}"
            lines.append(f"| {row['row']} | {row['floor']:,g} | {row['aim']:,g} | {value} | {row['remark']} |")
    where = sorted({f"{report['machine']}, commit {report['commit']}" for report in reports})
    loads = [report["load_average_before"] for report in reports]
    if reports:
        lines += ["", f"Measured on {'; '.join(where)}; load average before each row {min(loads)} to {max(loads)}."]
    page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
