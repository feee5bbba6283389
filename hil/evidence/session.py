"""One session of bench tests: its records, its transcripts or recordings, its folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from hil.evidence.record import TestRecord
from hil.evidence.transcript import REGISTERS, SCPI, Departure, Tape, Transcripts
from hil.station import Station
from teiden.errors import InputError

PARTIAL = ".partial"
RECORDINGS = "recordings"  # folder of what was played, within the evidence


class EvidenceFolder:
    """A folder being filled as ``<place>.partial`` and renamed when whole.

    Parameters
    ----------
    place : Path
        Where it will be.

    Raises
    ------
    InputError
        If something is there already: evidence is not overwritten.
    """

    def __init__(self, place: Path):
        if place.exists():
            raise InputError(f"{place}: exists, and evidence is not overwritten; choose another folder")
        self.place = place
        self.path = place.with_name(place.name + PARTIAL)
        try:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be made ({error.strerror}); choose another folder") from error

    def finish(self) -> None:
        """Put the filled folder in its place."""
        self.path.rename(self.place)


class Session:
    """What the plugin keeps while tests run.

    Parameters
    ----------
    station : Station
    folder : EvidenceFolder or None
        Where the evidence goes; None for none.
    replayed : Path or None
        Evidence whose transcripts answer instead of a bench.
    armed : bool
        Consent to energise a real instrument.
    recordings : sequence of Path
        What the tests play; copied to the folder, from where a replay takes them.
    """

    def __init__(
        self,
        station: Station,
        folder: EvidenceFolder | None,
        replayed: Path | None,
        armed: bool,
        recordings: Sequence[Path] = (),
    ):
        self.station = station
        self.recordings = _kept(recordings, folder.path / RECORDINGS) if folder and recordings else list(recordings)
        self.folder = folder
        self.armed = armed
        self.records: dict[str, TestRecord] = {}
        self.identity: Mapping[str, str] = {}
        self.bench_error: Exception | None = None  # what kept the bench from being opened
        self.transcripts = Transcripts(folder.path) if folder else None
        self.tapes = (Tape(replayed / SCPI), Tape(replayed / REGISTERS)) if replayed else None

    def begin(self, record: TestRecord) -> None:
        """What follows belongs to a test."""
        self.records[record.id] = record
        if self.transcripts is not None:
            self.transcripts.begin(record.id)
        for tape in self.tapes or ():
            tape.begin(record.id)

    def departed(self) -> str:
        """Return where a test that has ended left the recording that goes on, or nothing."""
        try:
            for tape in self.tapes or ():
                tape.check_ended()
        except Departure as departure:
            return str(departure)
        return ""


def _kept(recordings: Sequence[Path], folder: Path) -> list[Path]:
    """Copy recordings, and the data files of COMTRADE ones, to a folder; return the copies."""
    folder.mkdir()
    for path in recordings:
        for file in (path, *_data_of(path)):
            try:
                shutil.copyfile(file, folder / file.name)
            except OSError as error:
                raise InputError(f"{file}: cannot be copied to the evidence ({error.strerror})") from error
    return [folder / path.name for path in recordings]


def _data_of(recording: Path) -> list[Path]:
    """Return the data file of a COMTRADE recording, if it has one: without it the test says what is missing."""
    if recording.suffix.lower() != ".cfg":
        return []
    from hil.recording import data_beside

    try:
        return [data_beside(recording)]
    except InputError:
        return []
