"""The pytest plugin: ``-p hil.evidence.plugin``.

Options ``--station``, ``--evidence``, ``--replay``, ``--arm``; the marker ``requirement``; the fixtures ``bench``,
``measure`` and ``attach``. Without ``--station`` the tests run on the stand-ins.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hil.evidence.measures import ERROR, FAIL, INCONCLUSIVE, NOT_RUN, Measured, Measures, worst
from hil.evidence.record import Attachments, TestRecord
from hil.evidence.requirements import requirements
from hil.evidence.session import RECORDINGS, EvidenceFolder, Session
from hil.station import Station, load_station
from teiden.errors import InputError

if TYPE_CHECKING:
    from hil.evidence.bench import Bench

SESSION = pytest.StashKey[Session]()
MARKER = "requirement(id, ...): the requirements that a test is about, R1 to R64"
CALLED = "called(title): what a test is called in the evidence, instead of its name"
JUNIT = "junit.xml"
NOT_PROVED = "inconclusive: "


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("bench", "tests on a bench, with evidence")
    group.addoption("--station", type=Path, help="Station file in TOML.  [default: the stand-ins]")
    group.addoption("--evidence", type=Path, help="Folder to make, with everything that was seen.")
    group.addoption("--replay", type=Path, help="Evidence folder whose transcripts answer instead of a bench.")
    group.addoption("--recording", type=Path, action="append", help="A recording that the tests play; may be repeated.")
    group.addoption("--arm", action="store_true", help="Consent to energise a real instrument.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and open the session, before pytest's JUnit writer looks where to write."""
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", CALLED)
    try:
        config.stash[SESSION] = session = _open_session(config)
    except InputError as error:
        raise pytest.UsageError(str(error)) from error
    if session.folder is not None and not config.getoption("xmlpath", None):
        config.option.xmlpath = str(session.folder.path / JUNIT)


def _open_session(config: pytest.Config) -> Session:
    from hil.evidence.folder import read_evidence, recorded_station

    if getattr(config.option, "numprocesses", None):
        raise InputError("-n: bench tests share one bench; run them in one process")
    place, replayed, path = (config.getoption(name) for name in ("evidence", "replay", "station"))
    if replayed is not None and path is not None:
        raise InputError("--station with --replay: the station is that of the recording; give one of them")
    recordings = config.getoption("recording") or []
    if replayed is not None:
        station = recorded_station(replayed, read_evidence(replayed))
        recordings = sorted(file for file in (replayed / RECORDINGS).glob("*") if file.suffix.lower() != ".dat")
    else:
        station = load_station(path) if path is not None else Station()
    return Session(station, EvidenceFolder(place) if place else None, replayed, config.getoption("arm"), recordings)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse requirements that are not in the table."""
    unknown = [f"{item.nodeid}: {id!r}" for item in items for id in _requirements(item) if id not in requirements()]
    if unknown:
        raise pytest.UsageError("requirement, expected R1 to R64: " + "; ".join(unknown))


def _requirements(item: pytest.Item) -> tuple[str, ...]:
    return tuple(id for mark in item.iter_markers("requirement") for id in mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Give each test its record and its part of the transcripts."""
    session = item.config.stash[SESSION]
    record = TestRecord(item.nodeid, _title(item), _requirements(item))
    session.begin(record)
    done = yield
    departed = session.departed()
    if departed and record.verdict != ERROR:
        record.verdict, record.why = ERROR, departed
    return done


def _title(item: pytest.Item) -> str:
    """Return what a test is called, or its name as a sentence, with its parameters."""
    name, _, parameters = item.name.partition("[")
    called = item.get_closest_marker("called")
    title = str(called.args[0]) if called else name.removeprefix("test_").replace("_", " ").capitalize()
    return f"{title}: {parameters.removesuffix(']').replace('-', ', ')}" if parameters else title


def _record(item: pytest.Item) -> TestRecord:
    return item.config.stash[SESSION].records[item.nodeid]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let what was measured decide, once the test has run to its end."""
    done = yield
    taken = _record(item).measures.taken
    for one in taken:
        item.user_properties.append((one.name, f"{one.reads()} ({one.verdict})"))
    verdict = worst(one.verdict for one in taken)
    if verdict == FAIL:
        pytest.fail(_lines(taken, FAIL), pytrace=False)
    if verdict == INCONCLUSIVE:
        pytest.skip(NOT_PROVED + _lines(taken, INCONCLUSIVE))
    return done


def _lines(taken: list[Measured], verdict: str) -> str:
    return "\n".join(one.reads() for one in taken if one.verdict == verdict)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take the verdict down."""
    report = yield
    record = _record(item)
    if call.excinfo is not None and record.verdict != ERROR:  # what follows from the first error says less
        record.verdict, record.why = _verdict_of(call.excinfo.value, record)
    elif call.when == "call":
        record.verdict = worst(one.verdict for one in record.measures.taken)
    return report


def _verdict_of(error: BaseException, record: TestRecord) -> tuple[str, str]:
    """Return what an exception makes of a test, and why."""
    if isinstance(error, pytest.skip.Exception):
        inconclusive = worst(one.verdict for one in record.measures.taken) == INCONCLUSIVE
        return (INCONCLUSIVE if inconclusive else NOT_RUN), str(error).removeprefix(NOT_PROVED)
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return FAIL, str(error)
    return ERROR, f"{type(error).__name__}: {error}"


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
    """Write the evidence once everything else is written; an interrupted session's folder stays named partial."""
    done = yield
    kept = session.config.stash[SESSION]
    if kept.folder is not None and kept.transcripts is not None:
        from hil.evidence.folder import write_evidence

        kept.transcripts.close()
        write_evidence(kept, complete=exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED))
    return done


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Give the bench: the station's, the stand-ins, or a recording."""
    from hil.evidence import benches

    session = request.config.stash[SESSION]
    if session.tapes is not None:
        with benches.recording(session.station, *session.tapes) as replayed:
            yield replayed
        return
    with ExitStack() as stack:
        try:
            if session.station.simulated:
                opened = benches.stand_ins(session.station, session.transcripts)
            else:
                opened = benches.hardware(session.station, session.transcripts, session.armed)
            live, identity = stack.enter_context(opened)
        except Exception as error:
            session.bench_error = error
            raise
        session.identity = asdict(identity)
        yield live


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Measures:
    """Give what takes down values, limits and verdicts."""
    return _record(request.node).measures


@pytest.fixture
def attach(request: pytest.FixtureRequest) -> Attachments:
    """Give what keeps waveforms."""
    folder: Any = request.config.stash[SESSION].folder
    return Attachments(_record(request.node), None if folder is None else folder.path)
