"""The command ``teiden``.

Results go to files; ``--json`` prints one JSON object on standard output and nothing else there;
logs and progress go to standard error. Exit codes: 0 ran, 1 ran and a service level failed (with
``--strict`` only), 2 bad input, 3 a part is missing or failed, 130 interrupted.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from hil.cli_cosim import cosim
from hil.cli_rig import rig
from hil.cli_store import store
from teiden import __version__
from teiden.errors import INTERRUPTED, TeidenError


def _friendly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn Teiden's errors into one message and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except TeidenError as error:
            click.echo(f"teiden: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            left = "the run's folder is named .partial, --resume repeats it unless in real time"
            click.echo(f"teiden: interrupted; {left}", err=True)
            sys.exit(INTERRUPTED)

    return wrapped


class _Told(logging.Handler):
    """Say on standard error what the packages log: what is being built, and where it is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record as a stage of the work."""
        click.echo(f"· {record.getMessage()}", err=True)


def _tell_of_builds() -> None:
    """Show the log of `teiden.build`; a second call changes nothing."""
    log = logging.getLogger("teiden.build")
    log.setLevel(logging.INFO)
    if not log.handlers:
        log.addHandler(_Told())


def _console() -> Console:
    """Return standard output, 100 columns wide where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 100)


class _Teiden(click.Group):
    """The commands; Ctrl-C that none of them has answered for, as while its parts are loaded, ends alike for all."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("teiden: interrupted", err=True)
            sys.exit(INTERRUPTED)


@click.group(cls=_Teiden, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="teiden")
def main() -> None:
    """Hardware-in-the-loop twin of Japan's next-generation smart metering.

    A piece of grid loses power. What do the meters measure, what gets through the radio mesh, what
    does the head end know, when, and does that meet the service levels?

    \b
    teiden scenario list                 what can be run
    teiden run feeder_fault              run it: tables, pictures, report in runs/feeder_fault/
    teiden run feeder_fault --set population.meters=100000 --set policy.kind=polling
    """
    _tell_of_builds()


@main.command()
@click.argument("scenario")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder to make.  [default: runs/NAME]")
@click.option("--seed", type=click.IntRange(0), help="Replace the scenario's seed.")
@click.option("--backend", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
              help="What runs the radio mesh; asked for and missing is an error.")  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE",
              help="Change one value of the scenario; may be given again.")  # fmt: skip
@click.option("--rig", "rigs", multiple=True, metavar="[ID=]tcp://HOST:PORT",
              help="Call a rig that teiden rig serve runs, for the board or the one with that id.")  # fmt: skip
@click.option("--trace-meter", metavar="ID", help="Tell a meter's every value stage by stage, e.g. M0000042 "
              "(collection scenarios).")  # fmt: skip
@click.option("--resume", is_flag=True, help="Repeat an interrupted run and check it against that run's checkpoints; "
              "not in real time.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 if a service level fails.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@_friendly
def run(
    scenario: str,
    out: Path | None,
    seed: int | None,
    backend: str,
    changes: tuple[str, ...],
    rigs: tuple[str, ...],
    trace_meter: str | None,
    resume: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Run SCENARIO (a TOML file, or the name of a shipped one) and write its run folder.

    The folder holds run.json (what ran), summary.json (key figures and verdicts), Parquet tables,
    pictures and report.html. The same scenario, seed and version give the same digest.
    """
    from hil.kinds import run_any, summary_of
    from hil.progress import Watch
    from hil.run import load_scenario

    loaded = load_scenario(scenario, (*changes, *map(_rig_change, rigs)), seed)
    place = out or Path("runs") / loaded.name
    done = run_any(loaded, place, backend=backend, resume=resume, trace_meter=trace_meter, watch=Watch())
    if as_json:
        click.echo(json.dumps({"folder": str(done.folder), "digest": done.manifest["digest"], **done.summary}))
    else:
        _console().print(summary_of(done.summary, done.manifest))
        click.echo(f"report: {done.folder / 'report.html'}")
    failed = [level["text"] for level in done.summary["service_levels"] if level["verdict"] == "fail"]
    if strict and failed:
        click.echo(f"teiden: service level failed: {'; '.join(failed)}", err=True)
        sys.exit(1)


def _rig_change(rig: str) -> str:
    """Return the setting that a --rig stands for."""
    identity, _, endpoint = rig.rpartition("=")
    return f"boards.{identity}.rig={endpoint}" if identity else f"board.rig={endpoint}"


@main.command()
@click.argument("case_dir", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: runs/CASE]")
@click.option("--seed", type=click.IntRange(0), help="Replace the case's seed.")
@click.option("--backend", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
              help="What runs the mesh; asked for and missing is an error.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
              help="Share the work, on no more threads than there are cores; pays off from some 50,000 nodes "
              "on. Results do not depend on it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@_friendly
def radio(case_dir: Path, out: Path | None, seed: int | None, backend: str, threads: int, as_json: bool) -> None:
    """Run the radio engine on CASE_DIR: your own nodes and frames.

    \b
    case.toml    seed, duration_s, [phy] profile and constants, [mac], [path_loss], [routing]
    nodes.csv    node,x_m,y_m
    frames.csv   t_s,src,dst,psdu_bytes        (dst = -1: to the nearest sink)
    links.csv    src,dst,loss_db               (optional, instead of the path-loss model)
    routes.csv   node,parent                   (optional, instead of ETX routes)

    Writes frames.parquet (one row a frame, with its outcome), run.json and summary.json.
    """
    from gpu import read_case, run_case
    from hil.progress import Watch

    place = out or Path("runs") / case_dir.resolve().name
    with Watch() as watch:
        watch.stage(f"radio case {case_dir}")
        case = read_case(case_dir)
        watch.stage(f"{case.node_ids.size:,} nodes, {case.src.size:,} frames: links and routes")

        def progress(share: float) -> None:
            if share == 0:
                watch.start(case.duration_s)
            elif watch.due():
                watch.show(share * case.duration_s, case.duration_s, f"{share:.0%}")

        summary = run_case(case, place, seed, backend, threads, progress)
    if as_json:
        click.echo(json.dumps(summary))
        return
    for name, value in summary.items():
        click.echo(f"{name:16} {value}")
    click.echo(f"results: {place}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--voltage", metavar="COLUMN", help="Channel of the voltage: its name, or its number from 1.  "
              "[default: the first in volts]")  # fmt: skip
@click.option("--current", metavar="COLUMN", help="Channel of the current; left out: voltage only.")
@click.option("--segment", type=click.IntRange(0), default=0, show_default=True,
              help="Which piece of constant rate, for recorders that change theirs.")  # fmt: skip
@click.option("--voltage-scale", type=float,
              help="Volts per unit of the file.  [default: 1; what a COMTRADE unit like kV says]")  # fmt: skip
@click.option("--current-scale", type=float, help="Amperes per unit of the file.  [default: likewise]")
@click.option("--nominal-v", type=float, default=100.0, show_default=True,
              help="Nominal RMS voltage. Full scale is 282.8 V at 10 to 166 V, else twice its peak.")  # fmt: skip
@click.option("--nominal-hz", type=float, default=50.0, show_default=True, help="Nominal frequency, 50 or 60.")
@click.option("--max-a", type=float, default=120.0, show_default=True,
              help="Largest RMS current; full scale is 1.2 times its peak.")  # fmt: skip
@click.option("--voltage2", help="Voltage of a second element; powers and energy are then those of both.")
@click.option("--current2", help="Current of the second element.")
@click.option("--wiring", type=click.Choice(["single-phase-3-wire", "three-phase-3-wire"]), show_default=True,
              default="single-phase-3-wire", help="How two elements are wired.")  # fmt: skip
@click.option("--settle-s", type=float, default=0.0, show_default=True,
              help="Leave so much of the beginning out of the figures; events and trace keep it.")  # fmt: skip
@click.option("--trace", type=click.Path(path_type=Path), help="Write one row a half cycle: .parquet or .csv.")
@click.option("--waves", type=click.Path(path_type=Path), help="Write every signal of the RTL as .fst (large).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@_friendly
def meter(
    file: Path,
    voltage: str | None,
    current: str | None,
    segment: int,
    voltage_scale: float | None,
    current_scale: float | None,
    nominal_v: float,
    nominal_hz: float,
    max_a: float,
    voltage2: str | None,
    current2: str | None,
    wiring: str,
    settle_s: float,
    trace: Path | None,
    waves: Path | None,
    as_json: bool,
) -> None:
    """Play the recording FILE into the front-end RTL and print what its registers say.

    FILE is COMTRADE (.cfg, with its .dat beside it) or CSV: a header, a column t_s with evenly rising
    times in seconds, and one column per channel. The segment is resampled to the front-end's 8 kS/s.

    \b
    teiden meter fault.csv
    teiden meter fault.cfg --voltage 1 --nominal-v 60.2 --trace fault.parquet
    teiden meter house.csv --voltage u_v --current i_a --settle-s 1 --json
    teiden meter pu.csv --voltage ua_pu --voltage-scale 141.42

    Powers are averages over whole cycles behind --settle-s, q_var positive when the current lags; e_wh is
    the active energy of every sample behind it, negative when reverse. An offset is taken off both
    channels from 0.512 s on, so half a second of settling does a recording with offsets good.

    Times count from the segment's first sample. An event stands at the moment of its detection, never
    before; onset_s is the estimated beginning of a power failure; the value of an end is the lowest
    (swell: highest) Urms(1/2) since the start. `saturated` and `current_saturated` (`voltage2_`,
    `current2_saturated`) say where an input first went beyond full scale.

    With --voltage2 (and --current, --current2) p_w, q_var, s_va and e_wh are those of both elements; elements,
    u_line_rms_v and i_common_rms_a come beside them. Single-phase 3-wire: the second element counts from neutral
    to line 2, line voltage u1 + u2, common current i1 - i2 (neutral). Three-phase 3-wire: both voltages against
    the common line, u1 - u2 and i1 + i2.
    """
    from hil.meter import Options, input_divider
    from hil.meter import meter as play
    from hil.progress import Watch

    options = Options(
        file=file, voltage=voltage, current=current, segment=segment, voltage_scale=voltage_scale,
        current_scale=current_scale, nominal_v=nominal_v, nominal_hz=nominal_hz, max_a=max_a,
        voltage2=voltage2, current2=current2, wiring=wiring, settle_s=settle_s, trace=trace, waves=waves,
    )  # fmt: skip
    with Watch() as watch:
        watch.stage(f"recording {file}")
        watch.start(1.0)

        def progress(share: float) -> None:
            if watch.due():
                watch.show_share(share)

        found = play(options, progress)
    if input_divider(nominal_v) != 1:
        click.echo(f"the front-end's input sees the voltage divided by {input_divider(nominal_v):g}", err=True)
    for event in found["events"]:
        if event["kind"].endswith("saturated"):
            unit = "A" if event["kind"].startswith("current") else "V"
            click.echo(
                f"{event['kind']}: {event['value']:g} {unit} at {event['t_s']:.6f} s is beyond full scale", err=True
            )
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        if name not in ("events", "elements"):
            click.echo(f"{name:18} {'-' if value is None else value}")
    for place, element in enumerate(found.get("elements", []), start=1):
        for name, value in element.items():
            click.echo(f"element {place} {name:8} {'-' if value is None else value}")
    for event in found["events"]:
        onset = f"  (began about {event['onset_s']:.4f} s)" if "onset_s" in event else ""
        unit = "A" if event["kind"].startswith("current") else "V"
        click.echo(f"{event['t_s']:12.6f} s  {event['kind']:22} {event['value']:10.3f} {unit}{onset}")


@main.command()
@click.option("--board", type=click.Choice(["sim", "pynq"]), default="sim", show_default=True,
              help="What is driven: the RTL compiled in, or a real board.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("detection.parquet"), show_default=True,
              help="Table to write; the picture goes beside it as .svg.")  # fmt: skip
@click.option("--points", type=click.IntRange(1, 360), default=8, show_default=True, help="Points on wave.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@_friendly
def characterise(board: str, out: Path, points: int, as_json: bool) -> None:
    """Drive the front-end through dips and interruptions and write what it detects, and how soon.

    The grid is residual voltage x duration x point on wave x frequency x harmonics, at 50 and 60 Hz; every
    case starts from reset. One row a case: detection_delay_ms (empty: missed), confirmed, withdrawn; the
    table carries the hash of the RTL. A scenario takes it with meter.detection = "FILE". Interrupted, the same
    command goes on where it stopped.
    """
    from hil.characterise import characterise as drive
    from hil.characterise import check_board, check_out
    from hil.progress import Watch

    check_board(board)
    check_out(out)
    with Watch() as watch:
        watch.stage(f"front-end, {board} board: dips and interruptions")
        watch.start(1.0)

        def heard(done: int, cases: int) -> None:
            if watch.due():
                watch.show_share(done / cases)

        found = drive(out, points, heard, taken_up=lambda cases: watch.stage(f"{cases} cases done before are taken up"))
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:24} {'-' if value is None else value}")


@main.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@_friendly
def report(run_dir: Path) -> None:
    """Draw pictures and report.html of RUN_DIR again, from its tables."""
    from hil.kinds import render_any, summary_of
    from twin.study.folder import read_json

    page = render_any(run_dir)
    _console().print(summary_of(read_json(run_dir / "summary.json"), read_json(run_dir / "run.json")))
    click.echo(f"report: {page}")


@main.group()
def scenario() -> None:
    """List, show and check scenarios."""


@scenario.command("list")
@_friendly
def scenario_list() -> None:
    """List the scenarios that come with Teiden."""
    from twin import scenario as scenarios

    for name in scenarios.shipped():
        click.echo(f"{name:20} {scenarios.load(name).title}")


@scenario.command("show")
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE", help="Change one value.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@_friendly
def scenario_show(name: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Print every setting of a scenario with its meaning, as TOML."""
    from twin import scenario as scenarios

    loaded = scenarios.load(name, changes)
    click.echo(json.dumps(loaded.model_dump()) if as_json else scenarios.to_toml(loaded))


@scenario.command("check")
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE", help="Change one value.")
@_friendly
def scenario_check(name: str, changes: tuple[str, ...]) -> None:
    """Check a scenario, its network and its fault without running it; say what will happen."""
    from hil.run import load_scenario
    from twin.field.grid import load_grid
    from twin.plan import plan_timeline
    from twin.scenario import Scenario

    loaded = load_scenario(name, changes, None)
    if not isinstance(loaded, Scenario):
        click.echo(f"{name}: good; a scenario of kind {loaded.kind}")
        return
    grid = load_grid(loaded.grid.network)
    timeline = plan_timeline(loaded, grid)
    click.echo(f"{name}: good; {timeline.line_name} fails on feeder {grid.feeder_name[timeline.feeder]}")
    for step in timeline.steps:
        click.echo(f"  t = {step.t_ns / 1e9:8.3f} s  {step.kind:8} {int(step.dark.sum()):4d} substations dark")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@_friendly
def info(as_json: bool) -> None:
    """Show what this machine has of what Teiden can use."""
    from hil.info import survey

    found = survey()
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:18} {value}")


main.add_command(cosim)
main.add_command(rig)
main.add_command(store)


if __name__ == "__main__":
    main()
