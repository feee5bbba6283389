"""Play campaigns on a bench, and play a recording again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from hil.campaign.recordings import find_recordings
from hil.evidence.benches import require_consent
from hil.evidence.folder import read_evidence
from hil.evidence.plugin import SESSION
from hil.evidence.record import TestRecord
from hil.station import load_station
from teiden.errors import InputError, PartFailed, TeidenError

HOME = Path(__file__).resolve().parent
ALWAYS = ("test_identity.py", "test_accuracy.py", "test_minutes.py")
CAMPAIGNS = {
    "4-11": ("test_dips_4_11.py",),
    "power-fail": ("test_power_fail.py", "test_disturbances.py", "test_ampere_limit.py"),
    "F47": ("test_dips_f47.py",),
    "detection": ("test_detection.py",),
}
RECORDED = "test_recordings.py"

Tell = Callable[[TestRecord, str], None]


class Observer:
    """Hears of every test that has ended; without a bench, of the first only, which ends the session.

    What the evidence plugin refuses to begin with is raised as it is, and not printed by pytest.

    Parameters
    ----------
    tell : callable
        Gets its record, and which of how many it was.
    """

    def __init__(self, tell: Tell):
        self._tell = tell
        self.records: list[TestRecord] = []
        self.problems: list[str] = []
        self.bench_error: Exception | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Take the record once the evidence plugin is done with it."""
        done = yield
        session = item.config.stash[SESSION]
        record = session.records[item.nodeid]
        self.records.append(record)
        self.bench_error = session.bench_error
        if self.bench_error is not None:
            item.session.shouldfail = record.why  # the rest would fail alike
        else:
            self._tell(record, f"{len(self.records)}/{item.session.testscollected}")
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self) -> Iterator[None]:
        """Raise what the plugin has refused."""
        try:
            return (yield)
        except pytest.UsageError as error:
            if isinstance(error.__cause__, TeidenError):
                raise error.__cause__ from None
            raise

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be collected."""
        if report.failed:
            self.problems.append(str(report.longrepr))


def run_campaigns(station: Path, campaigns: Sequence[str], out: Path, armed: bool, tell: Tell) -> list[TestRecord]:
    """Play campaigns on the station's bench and write the evidence to ``out``; return what came of each test.

    A campaign is a name of `CAMPAIGNS`, or a file or folder of recordings.

    Raises
    ------
    InputError
        For a bad station file, a campaign that is neither, two recordings of one name, an existing ``out``, a real
        instrument without consent, or one of another make than the dialect's.
    MissingPart, PartFailed
        If the bench cannot be opened; no evidence is left then.
    KeyboardInterrupt
        On Ctrl-C, once the output is off; what was seen is in ``<out>.partial``.
    """
    loaded = load_station(station)
    if loaded.board.kind == "model":
        raise InputError(
            f"{station}: board.kind = 'model', expected compiled, pynq-simulated or pynq: the integer model has "
            "neither the ampere limit nor the minutes that the campaigns look at"
        )
    if not loaded.simulated:
        require_consent(loaded, armed)
    if out.exists():
        raise InputError(f"{out}: exists, and evidence is not overwritten; choose another --out")
    recordings = _recordings([Path(campaign) for campaign in campaigns if campaign not in CAMPAIGNS])
    files = [*ALWAYS, *(name for campaign in campaigns if campaign in CAMPAIGNS for name in CAMPAIGNS[campaign])]
    options = ["--station", str(station), "--evidence", str(out), *(["--arm"] if armed else [])]
    if recordings:
        files.append(RECORDED)
        options += [f"--recording={path}" for path in recordings]
    observer = _run_pytest(files, options, tell)
    _require_bench(out, observer.bench_error)
    return observer.records


def _require_bench(out: Path, error: Exception | None) -> None:
    """Raise what kept the bench from being opened at all, if something did; the evidence, of nothing, is removed."""
    if error is None:
        return
    shutil.rmtree(out)
    if isinstance(error, TeidenError):
        raise error
    raise PartFailed(f"the bench could not be opened: {type(error).__name__}: {error}") from error


def _recordings(places: Sequence[Path]) -> list[Path]:
    """Return all recordings of some places, in order of their names, which are those of their tests."""
    found = sorted((path for place in places for path in find_recordings(place)), key=lambda path: path.name)
    for one, other in pairwise(found):
        if one.name == other.name:
            raise InputError(f"{one} and {other}: two recordings of one name, expected a name each")
    return found


def replay(evidence: Path, tell: Tell) -> list[str]:
    """Play the tests of an evidence folder again from its transcripts; return what came out otherwise.

    Raises
    ------
    InputError
        If it is no evidence folder, its transcripts were changed, its campaign was interrupted, or its tests are not
        those of this package.
    """
    content = read_evidence(evidence)
    if not content["complete"]:
        raise InputError(f"{evidence}: this campaign was interrupted, expected one that ran to its end")
    recorded = {test["id"]: test for test in content["tests"]}
    files = list(dict.fromkeys(id.partition("::")[0] for id in recorded))
    foreign = [name for name in files if not (HOME / name).is_file()]
    if foreign or not files:
        raise InputError(
            f"{evidence}: {', '.join(foreign) or 'no test'}, expected campaigns of rig run; play other tests again "
            f"with pytest -p hil.evidence.plugin --replay {evidence}"
        )
    records = {record.id: record for record in _run_pytest(files, ["--replay", str(evidence)], tell).records}
    differences = [f"{id}: not in the recording" for id in records if id not in recorded]
    for id, test in recorded.items():
        if id not in records:
            differences.append(f"{id}: recorded {test['verdict']}, not played again")
        elif (again := records[id].as_json())["verdict"] != test["verdict"] or again["measures"] != test["measures"]:
            differences.append(f"{id}: recorded {test['verdict']}, now {again['verdict']} {again['why']}".rstrip())
    return differences


def _run_pytest(files: Sequence[str], options: Sequence[str], tell: Tell) -> Observer:
    observer = Observer(tell)
    arguments = [
        *("-c", str(HOME / "pytest.ini"), "--rootdir", str(HOME), "--import-mode=importlib"),
        *("--disable-plugin-autoload", "-p", "no:terminal", "-p", "no:cacheprovider", "--capture=no"),
        *("-p", "hil.evidence.plugin", *options),
        *(str(HOME / name) for name in files),
    ]
    with _plain_environment():
        code = pytest.main(arguments, plugins=[observer])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        problems = "\n".join(observer.problems)
        raise PartFailed(f"pytest ended with {pytest.ExitCode(code).name}: {problems or 'see above'}")
    return observer


@contextmanager
def _plain_environment() -> Iterator[None]:
    """Keep the user's options for pytest away from the campaign."""
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
