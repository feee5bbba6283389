"""The commands ``teiden cosim ...``: the twin as a part of somebody else's simulation."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hil.cli_store import Friendly

SEED = click.option("--seed", type=click.IntRange(0), help="Replace the scenario's seed.")
CHANGES = click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE",
                       help="Change one value of the scenario; may be given again.")  # fmt: skip


@click.group(cls=Friendly)
def cosim() -> None:
    """Take part in a co-simulation: another simulator gives the supply, the twin says what the head end knows.

    \b
    teiden cosim names feeder_fault      names and units of all inputs and outputs
    teiden cosim helics feeder_fault     be a HELICS federate       (pip install 'teiden[helics]')
    teiden cosim mosaik HOST:PORT        be a mosaik simulator      (pip install 'teiden[mosaik]')

    The scenario's own fault is not played. Inputs change what they name, hold from the moment at which they are given,
    and leave the rest as it is; outputs tell what is known at that moment. The run folder is that of `teiden run`,
    with exchange.jsonl beside: inputs and outputs of every step.
    """


@cosim.command("names")
@click.argument("scenario")
@CHANGES
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON object.")
def names(scenario: str, changes: tuple[str, ...], as_json: bool) -> None:
    """List inputs and outputs with their units, and the names of the substations, feeders and meters of SCENARIO."""
    from hil.cosim.core import load_outage
    from twin.field.grid import load_grid
    from twin.outside import INPUTS, OUTPUTS, PLACE_OUTPUTS

    loaded = load_outage(scenario, changes, None)
    grid = load_grid(loaded.grid.network)
    tables = {"inputs": INPUTS, "outputs": OUTPUTS | PLACE_OUTPUTS}
    places = {"feeders": list(grid.feeder_name), "substations": list(grid.substation_name)}
    if as_json:
        click.echo(json.dumps({**tables, **places, "meters": loaded.population.meters}, ensure_ascii=False))
        return
    for title, table in tables.items():
        click.echo(title)
        for name, meaning in table.items():
            click.echo(f"  {name:40} {meaning}")
    for title, listed in places.items():
        click.echo(f"{title}: {', '.join(listed)}")
    click.echo(f"meters: {loaded.population.meters:,}, M and the meter's number, as tables and reports name them")


@cosim.command("helics")
@click.argument("scenario")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder to make.  [default: runs/NAME]")
@SEED
@CHANGES
@click.option("--broker", default="tcp://127.0.0.1:23404", show_default=True, help="Address of the HELICS broker.")
@click.option("--name", default="teiden", show_default=True, help="Of the federate, in front of all its names.")
@click.option("--meter", "meters", multiple=True, metavar="ID",
              help="Also take this meter's voltage and tell what is believed of it; may be given again.")  # fmt: skip
@click.option("--step-s", type=float, default=1.0, show_default=True,
              help="Publish at least so often [s]; a changed input is always taken at its own time.")  # fmt: skip
@click.option("--timeout-s", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
              help="Longest wait for the broker.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Repeat an interrupted run and hold it, and the others, to what was then.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def helics(
    scenario: str,
    out: Path | None,
    seed: int | None,
    changes: tuple[str, ...],
    broker: str,
    name: str,
    meters: tuple[str, ...],
    step_s: float,
    timeout_s: float,
    resume: bool,
    as_json: bool,
) -> None:
    """Run SCENARIO as a HELICS federate whose supply comes from others of its federation.

    Every input is a global input and every output a publication, called NAME/ and then as `teiden cosim names` says.
    Another federate points a publication at an input ("destination targets" in its configuration), or subscribes to
    an output.

    \b
    helics_broker --federates=2 &
    teiden cosim helics feeder_fault &
    python my_grid.py      # publishes to "teiden/substation/LV Load 17/voltage_pu"

    What the others publish at a moment holds from that moment; what the twin publishes at it they see just after.
    """
    from hil.cosim.core import load_outage, opened
    from hil.cosim.helics import Federation, import_helics, take_part, wait_for_broker
    from hil.progress import Watch

    import_helics()
    loaded = load_outage(scenario, changes, seed)
    federation = Federation(name, broker, timeout_s, meters)
    wait_for_broker(federation)
    place = out or Path("runs") / loaded.name
    with opened(loaded, place, step_s, f"HELICS federation, as {name}", resume=resume, watch=Watch()) as twin:
        done = take_part(twin, federation)
    if as_json:
        click.echo(json.dumps({"folder": str(done.folder), "digest": done.manifest["digest"], **done.summary}))
        return
    for what, seconds in done.manifest["wall_of_cosim_s"].items():
        click.echo(f"{what:10} {seconds:8.1f} s")
    click.echo(f"report: {done.folder / 'report.html'}")


@cosim.command("mosaik")
@click.argument("address", metavar="HOST:PORT")
def mosaik(address: str) -> None:
    """Be a simulator of the mosaik world that waits at HOST:PORT.

    mosaik starts it itself; the scenario and where the run goes are parameters of world.start:

    \b
    simulators = {"Teiden": {"cmd": "teiden cosim mosaik %(addr)s", "auto_terminate": False}, ...}
    world = mosaik.World(simulators, time_resolution=0.001)
    teiden = world.start("Teiden", scenario="feeder_fault", out="runs/mosaik", step_s=1.0)
    office = teiden.Office()          # office.children: substations and feeders
    meter = teiden.Meter(name="M0000042")
    world.connect(grid, substation, ("u_pu", "voltage_pu"))
    world.run(until=270_000)          # the scenario's end

    Entities: Office (attribute `stage`, all outputs), its children Substation (voltage_pu, meters_believed_out) and
    Feeder (breaker_open), and Meter (voltage_pu, believed_out). Inputs trigger a step at their own time. The run folder
    is written after the world has ended; with "auto_terminate" mosaik would warn that it waits in vain.
    """
    from hil.cosim.remote import serve_mosaik

    serve_mosaik(address)
