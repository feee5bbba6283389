"""Run every row of the speed table and print it, floor and aim beside: the one command behind docs/engine.md's table.

Each row is a script of its own and leaves benches/results/NAME.json. --table prints what the result files hold
without running anything. A quiet machine matters for all of them; the scripts note the load they met.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import radio_bench as rb

SCRIPTS = ("frames_vs_ns3", "growth", "instructions", "memory", "setup", "collection", "storm", "country", "threads",
           "lockstep", "cuda")  # fmt: skip


def main() -> None:
    """Run what was asked for, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {', '.join(SCRIPTS)}  [default: all]")
    parser.add_argument("--quick", action="store_true", help="smaller cases that leave no result file")
    parser.add_argument("--table", action="store_true", help="run nothing, print the result files")
    parser.add_argument("--markdown", action="store_true", help="print the table as in docs/engine.md")
    given = parser.parse_args()
    wrong = [row for row in given.rows if row not in SCRIPTS]
    if wrong:
        parser.error(f"no row {', '.join(wrong)}, expected some of {', '.join(SCRIPTS)}")
    wanted = given.rows or SCRIPTS
    failed = []
    for name in () if given.table else wanted:
        script = Path(__file__).with_name(f"radio_{name}.py")
        print(f"--- {script.name}", flush=True)
        if subprocess.run([sys.executable, str(script), *(["--quick"] if given.quick else [])]).returncode:
            failed.append(name)
    if not given.quick:
        table([rb.RESULTS / f"radio_{name}.json" for name in wanted], given.markdown)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def table(files: list[Path], markdown: bool) -> None:
    """Print the rows of result files."""
    print("| | floor | aim | measured | |\n|---|---|---|---|---|" if markdown else "---")
    for file in files:
        if not file.is_file():
            print(f"{file.name}: not there yet")
            continue
        report = json.loads(file.read_text())
        for row in report["rows"]:
            if not markdown:
                print(rb.table_line(row), f"[{report['commit']}]")
                continue
            value = "not measured" if row["value"] is None else f"{row['value']:,g} {row['unit']}"
            print(f"| {row['row']} | {row['floor']:,g} | {row['aim']:,g} | {value} | {row['remark']} |")


if __name__ == "__main__":
    main()
