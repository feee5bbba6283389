"""The commands ``teiden rig ...``: what stands on the bench, and what stands in for it."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from teiden.errors import INTERRUPTED, TeidenError
from twin.link.heartbeat import HEARTBEAT_MS

if TYPE_CHECKING:
    from hil.evidence.record import TestRecord


@click.group()
def rig() -> None:
    """The bench: instruments, boards, and what stands in for them."""


@rig.command("source")
@click.option("--dialect", type=click.Choice(["681x", "kikusui-le", "chroma"]), default="681x", show_default=True,
              help="Keysight 681x / AMETEK, Kikusui PCR-LE, or Chroma 61500/61600.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen at.  [default: a free one]")
@click.option("--hislip", is_flag=True, help="Speak HiSLIP instead of lines on a raw socket.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Command latencies, serial number.")
@click.option("--load-w", type=click.FloatRange(0, min_open=True),
              help="A rectifier with 470 uF that draws so much; the source then has 0.1 ohm and 50 uH.")  # fmt: skip
@click.option("--faults", type=click.IntRange(1, 200),
              help="Faults in the first 1000 messages: cut connections, late replies, overflows, trips.")  # fmt: skip
@click.option("--fault-seed", type=click.IntRange(0), default=0, show_default=True, help="Which faults, and when.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="End after so long.  [default: at Ctrl-C]")
def source(
    dialect: str,
    host: str,
    port: int,
    hislip: bool,
    seed: int,
    load_w: float | None,
    faults: int | None,
    fault_seed: int,
    seconds: float | None,
) -> None:
    """Run a simulated AC source that any VISA client can talk to.

    It prints its VISA resource name and runs by the wall clock until Ctrl-C. One client at a time.

    \b
    teiden rig source --dialect kikusui-le --port 5025 --load-w 20
    # and in another shell
    python -c "
    from hil.source.dialects import open_source
    with open_source('TCPIP::127.0.0.1::5025::SOCKET', 'kikusui-le') as source:
        source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
        import time; time.sleep(0.5)
        print(source.identity, source.measure_voltage_v(), source.measure_current_a())"

    No simulated source has been compared with an instrument yet; docs/source.md says what is assumed.
    """
    from hil.source.dialects import simulate
    from hil.source.faults import FaultScript, random_faults
    from hil.source.hislip import HislipServer
    from hil.source.load import Impedance, RectifierLoad
    from hil.source.paced import PacedSource
    from hil.source.server import SourceServer

    load = RectifierLoad(470e-6, load_w) if load_w else None
    simulated = simulate(dialect, seed, load=load, impedance=Impedance(0.1, 50e-6))
    script = FaultScript(random_faults(fault_seed, faults, 1000) if faults else ())
    server = (HislipServer if hislip else SourceServer)(simulated, host, port, script)
    try:
        with server, PacedSource(simulated):
            click.echo(server.resource_name)
            _wait(seconds)
    except KeyboardInterrupt:  # how this command is meant to end
        click.echo("teiden: source ended", err=True)
    except TeidenError as error:
        click.echo(f"teiden: {error}", err=True)
        sys.exit(error.exit_code)


@rig.command("run")
@click.argument("station", type=click.Path(path_type=Path))
@click.option("--campaign", "campaigns", multiple=True, metavar="4-11|power-fail|F47|detection|PATH",
              help="What to play, PATH: a recording or a folder of them; may be given several times.  "
              "[default: the first four]")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path),
              help="Evidence folder to make.  [default: runs/rig_<date and time>]")  # fmt: skip
@click.option("--arm", is_flag=True, help="Consent to energise a real instrument.")
@click.option("--strict", is_flag=True, help="End with 1 if a verdict is fail or inconclusive.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as one JSON object.")
def run(station: Path, campaigns: tuple[str, ...], out: Path | None, arm: bool, strict: bool, as_json: bool) -> None:
    """Play campaigns on the bench that STATION describes and write evidence.

    Identity, noise, voltage, frequency and kept minutes always; then the dips of IEC 61000-4-11 (4-11), losses of
    supply, disturbances and ampere-limit commands (power-fail), the dips of SEMI F47 (F47), delays of detection as a
    table for the twin (detection). Recordings (COMTRADE, CSV, as `teiden meter` reads them) are played cycle by cycle,
    their first two cycles at nominal voltage; the integer model says what must be detected in each. One that cannot be
    played is "not run", with the reason.

    The folder holds evidence.html (start here), evidence.json, junit.xml, the transcripts scpi.jsonl and
    registers.jsonl, and waves/ with each waveform as COMTRADE and PNG. It ends with 3 if a test could not be
    played. A station with a real instrument needs an interlock file and --arm; not yet run on hardware.
    """
    from hil.campaign.run import CAMPAIGNS, run_campaigns
    from hil.evidence.measures import ERROR, FAIL, INCONCLUSIVE
    from hil.evidence.session import PARTIAL

    place = out or Path("runs") / time.strftime("rig_%Y%m%dT%H%M%SZ", time.gmtime())
    partial = place.with_name(place.name + PARTIAL)
    with _ending(lambda: "the output is off" + f"; what was seen is in {partial}" * partial.exists()):
        records = run_campaigns(station, campaigns or tuple(CAMPAIGNS), place, arm, _tell)
    counts = Counter(record.verdict for record in records)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    content = {"verdicts": counts, "tests": len(records), "evidence": str(place / "evidence.html")}
    click.echo(json.dumps(content) if as_json else f"{len(records)} tests: {said}\nevidence: {place / 'evidence.html'}")
    if counts[ERROR]:
        sys.exit(3)
    sys.exit(1 if strict and (counts[FAIL] or counts[INCONCLUSIVE]) else 0)


@rig.command("replay")
@click.argument("evidence", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what came out as one JSON object.")
def replay(evidence: Path, as_json: bool) -> None:
    """Play the tests of an EVIDENCE folder again, from its transcripts, with no rig.

    Every message and register access must be the recorded one; verdicts and values must come out the same. It ends
    with 3 if something is otherwise, naming the place.
    """
    from hil.campaign.run import replay as play_again

    with _ending(lambda: "nothing was written"):
        differences = play_again(evidence, _tell)
    if as_json:
        click.echo(json.dumps({"same": not differences, "differences": differences}))
    else:
        click.echo("\n".join(differences) or "every test came out the same")
    sys.exit(3 if differences else 0)


@rig.command("serve")
@click.argument("station", type=click.Path(path_type=Path))
@click.option("--address", default="127.0.0.1", show_default=True,
              help="IPv4 address to listen at; other than loopback it needs --keys.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen at.  [default: a free one]")
@click.option("--keys", type=click.Path(path_type=Path), help="Folder with rig.key_secret and twin.key.")
@click.option("--once", is_flag=True, help="End after one run.")
@click.option("--arm", is_flag=True, help="Consent to energise a real instrument in every run that calls.")
@click.option("--heartbeat-ms", type=click.IntRange(10, 60_000), default=HEARTBEAT_MS, show_default=True,
              help="A frozen twin is seen after four of these.")  # fmt: skip
def serve(station: Path, address: str, port: int, keys: Path | None, once: bool, arm: bool, heartbeat_ms: int) -> None:
    """Serve the bench that STATION describes to runs that call, one after the other, until Ctrl-C.

    It prints its endpoint, then what becomes of each call. The output is on during a run only.

    \b
    teiden rig keys keys                                           # once; copy rig.key_secret, twin.key to the bench
    teiden rig serve station.toml --address 0.0.0.0 --port 7000 --keys keys              # on the bench's machine
    teiden run feeder_fault --rig tcp://bench.example:7000 --set link.keys=keys          # on the twin's

    A real board and instrument need --arm, an interlock file in STATION, and runs in real time
    (--set link.mode=real-time); not yet run on hardware.
    """
    from hil.rig_server import serve_station
    from hil.station import load_station

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # through every with block
    try:
        serve_station(load_station(station), address, port, keys, click.echo, once, arm, heartbeat_ms)
    except TeidenError as error:
        click.echo(f"teiden: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("teiden: rig ended; the output is off", err=True)


@rig.command("check")
@click.argument("station", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/rig_check"), show_default=True,
              help="Folder for check.json and check.md.")  # fmt: skip
@click.option("--arm", is_flag=True, help="Consent to energise a real instrument.")
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as one JSON object.")
def check(station: Path, out: Path, arm: bool, as_json: bool) -> None:
    """Check the bench that STATION describes and write what was seen.

    Register map, counter, noise floor, voltage and frequency against the source's own read-back, the trigger wire
    and the polarity of the voltage's wires. It ends with 3 if something is not as it must be.

    The board is looked at first, then the instrument with its output off. Without --arm a real one stays off, and
    what needs its voltage is not looked at. Nothing is energised when a part is not what the station says.

    \b
    # station.toml; every line may be left out
    [board]
    clocks_per_sample = 64
    [source]
    dialect = "681x"            # kikusui-le, chroma
    current_limit_a = 5.0
    voltage_limit_v = 120.0
    [supply]
    nominal_v = 100.0
    nominal_hz = 50
    [limits]
    noise_pu = 0.001
    voltage_pu = 0.005
    frequency_hz = 0.02
    current_pu = 0.02           # looked at with a load
    angle_deg = 2.0

    # a real bench
    [board]
    kind = "pynq"
    bitstream = "td_pynq_z2.bit"
    [source]
    address = "TCPIP::192.0.2.10::5025::SOCKET"
    interlock = "interlock"

    Not yet run on hardware: tested with what poses as a board and an instrument.
    """
    from hil.check import check_station, page, require_passed
    from hil.station import load_station

    try:
        seen = check_station(load_station(station), out, arm)
        click.echo(json.dumps(seen) if as_json else page(seen), nl=as_json)
        require_passed(seen)
    except KeyboardInterrupt:
        click.echo("teiden: interrupted; the output is off, nothing was written", err=True)
        sys.exit(INTERRUPTED)
    except TeidenError as error:
        click.echo(f"teiden: {error}", err=True)
        sys.exit(error.exit_code)


def _wait(seconds: float | None) -> None:
    """Wait so long, or until somebody interrupts."""
    until_s = float("inf") if seconds is None else time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(left_s, 3600))


@rig.command("keys")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def keys(folder: Path) -> None:
    """Make the keys of a link in DIR: one pair for the twin, one for the rig.

    Secret keys are readable by their owner only and are refused otherwise. A scenario takes them with
    link.keys = "DIR"; a link that can be reached from other machines (link.address) must have them.

    A rig on another machine needs rig.key_secret and twin.key, and nothing else of the folder.
    """
    from twin.link.keys import make_keys

    try:
        for file in make_keys(folder):
            click.echo(file)
    except TeidenError as error:
        click.echo(f"teiden: {error}", err=True)
        sys.exit(error.exit_code)


@contextmanager
def _ending(left: Callable[[], str]) -> Iterator[None]:
    """End with one line and the exit code of an error or of Ctrl-C, which says what it leaves."""
    try:
        yield
    except TeidenError as error:
        click.echo(f"teiden: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo(f"teiden: interrupted; {left()}", err=True)
        sys.exit(INTERRUPTED)


def _tell(record: TestRecord, place: str) -> None:
    """Show a test that has ended, on standard error."""
    why = record.why.splitlines()
    click.echo(f"{place:>7} {record.verdict:>12}  {record.title}" + (f": {why[0]}" if why else ""), err=True)
