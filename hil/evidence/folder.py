"""The evidence folder: what it holds, how it is written, checked and read."""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hil.evidence.measures import VERDICTS, worst
from hil.evidence.record import TestRecord
from hil.evidence.requirements import requirements
from hil.evidence.session import Session
from hil.evidence.transcript import REGISTERS, SCPI
from hil.station import Station, problems
from teiden import __version__
from teiden.errors import InputError
from teiden.files import write_text

EVIDENCE, PAGE, DETECTION = "evidence.json", "evidence.html", "detection.parquet"
TRANSCRIPTS = (SCPI, REGISTERS)
EVIDENCE_KEYS = {"complete", "station", "tests", "files"}  # what a replay needs


def write_evidence(session: Session, complete: bool) -> None:
    """Write evidence.json and evidence.html; a complete folder is put in its place."""
    from hil.evidence.page import page

    assert session.folder is not None
    folder = session.folder.path
    _write_reactions(session, folder / DETECTION)
    content = describe(session, complete)
    write_text(folder / EVIDENCE, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    write_text(folder / PAGE, page(content, folder))
    if complete:
        session.folder.finish()


def _write_reactions(session: Session, path: Path) -> None:
    """Write what the tests kept of reactions as a table that ``meter.detection`` of a scenario takes; if they did."""
    kept = [pair for record in session.records.values() for pair in record.reactions]
    if kept:
        from hil.characterise import as_table, write_table

        dips, reactions = [dip for dip, _ in kept], [reaction for _, reaction in kept]
        write_table(path, as_table(dips, reactions, session.identity["rtl_hash"], session.identity["board"]))


def describe(session: Session, complete: bool) -> dict[str, Any]:
    """Return what evidence.json holds; ``digest`` covers all of it but the date, the commit and JUnit's file."""
    assert session.folder is not None
    tests = [record.as_json() for record in session.records.values()]
    files = {
        str(path.relative_to(session.folder.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(session.folder.path.rglob("*"))
        if path.is_file()
    }
    lasting = {"station": session.station.model_dump(mode="json"), "identity": dict(session.identity)}
    transcripts = {name: files[name] for name in TRANSCRIPTS}
    digest = hashlib.sha256(json.dumps([lasting, tests, transcripts], sort_keys=True).encode()).hexdigest()
    return {
        "complete": complete,
        "teiden": __version__,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **lasting,
        "summary": {verdict: sum(test["verdict"] == verdict for test in tests) for verdict in VERDICTS},
        "tests": tests,
        "requirements": trace(session.records.values()),
        "digest": digest,
        "files": files,
    }


def trace(records: Iterable[TestRecord]) -> list[dict[str, Any]]:
    """Return the traceability matrix: every requirement with the tests that name it, and the worst verdict."""
    kept = list(records)
    rows = []
    for requirement in requirements().values():
        about = [record for record in kept if requirement.id in record.requirements]
        verdict = worst(record.verdict for record in about) if about else "no test"
        rows.append({**vars(requirement), "tests": [record.id for record in about], "verdict": verdict})
    return rows


def commit() -> str | None:
    """Return the commit this runs from, marked where files differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True
        )
    except OSError:
        return None
    return described.stdout.strip() or None


def read_evidence(folder: Path) -> dict[str, Any]:
    """Return what evidence.json of a folder holds, once its transcripts are seen to be those that were recorded.

    Raises
    ------
    InputError
        If it is no evidence folder, or a transcript is missing or was changed.
    """
    content = _read_content(folder / EVIDENCE)
    for name in TRANSCRIPTS:
        digest = content["files"][name]
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{folder / name}: {error.strerror}; expected the transcript of the evidence") from error
        if found != digest:
            raise InputError(
                f"{folder / name}: SHA-256 {found[:16]}..., evidence.json says {digest[:16]}...; "
                "the transcript was changed after the test"
            )
    return content


def _read_content(path: Path) -> dict[str, Any]:
    """Return what evidence.json holds; InputError unless it has the parts that a replay needs."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected an evidence folder") from error
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); expected an evidence folder") from error
    try:
        whole = {content.keys() >= EVIDENCE_KEYS} | {isinstance(content["files"][name], str) for name in TRANSCRIPTS}
        whole |= {{"id", "verdict", "measures"} <= test.keys() for test in content["tests"]}
    except (KeyError, TypeError, AttributeError):
        whole = {False}
    if whole != {True}:
        raise InputError(f"{path}: parts of it are missing; expected what teiden rig run wrote")
    return content


def recorded_station(folder: Path, content: Mapping[str, Any]) -> Station:
    """Return the station of a recording."""
    try:
        return Station.model_validate(content["station"])
    except ValidationError as error:
        said = "; ".join(problems(error))
        raise InputError(f"{folder / EVIDENCE}: its station is of another version of teiden: {said}") from error
