"""What is told of a finished run: tables and summary, both at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twin.collection.outcome import Outcome
from twin.collection.summary import Summary
from twin.collection.table_rows import TableRows


def tell(outcome: Outcome, folder: Path, trace_meter: int | None = None) -> tuple[dict[str, Any], list[str]]:
    """Write the tables into a run folder; return the summary, and what a reader must know before trusting the run.

    Parameters
    ----------
    outcome : Outcome
        Its store must be open and compacted.
    folder : Path
    trace_meter : int, optional
        The meter whose every message is told stage by stage.
    """
    told = Summary(outcome)
    _ = outcome.management  # both look at it, and it keeps estimates in the store
    with ThreadPoolExecutor(1, "summary") as beside:
        summary = beside.submit(told.content)
        TableRows(outcome, trace_meter).write(folder)
        return summary.result(), told.flags()
