"""What a user types: `tether check | show | up | simulate | keys | stop | plot`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from tether.runners.check import checked, planned
from tether.runners.problems import WiringError

app = typer.Typer(
    help="Train deep networks with actors: a protocol a file, a topology a wiring.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WiringFile = Annotated[Path, typer.Argument(help="the wiring file (TOML)")]
KeysPath = Annotated[
    Path | None, typer.Option(help="where this host's keys are (default: keys beside the wiring)")
]
RunPath = Annotated[Path, typer.Argument(help="a run's directory")]
Sets = Annotated[
    list[str],
    typer.Option("--set", help="override a key: --set worker.tau=20", metavar="KEY=VALUE"),
]
WRONG = 2
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. KeyboardInterrupt passes on."""
    try:
        code = app(arguments, standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.Exit as end:
        return end.exit_code
    except (WiringError, OSError, ImportError, ValueError) as error:
        print(f"tether: {error}", file=sys.stderr)
        return WRONG
    except Exception as error:
        return shown(error)
    return code if isinstance(code, int) else 0


def shown(error: Exception) -> int:
    """Show a wrong command line as typer does, and return its exit code; raise anything else."""
    if not hasattr(error, "show") or not hasattr(error, "exit_code"):
        raise error
    error.show()
    return int(error.exit_code)


@app.command()
def check(wiring: WiringFile, sets: Sets = []) -> int:  # noqa: B006 - typer reads it
    """Check names, types and hosts; nothing is started."""
    code, text = checked(wiring, sets)
    print(text, file=sys.stderr if code else sys.stdout)
    return code


@app.command()
def show(wiring: WiringFile, sets: Sets = []) -> int:  # noqa: B006 - typer reads it
    """Draw the topology: who runs where, and who talks to whom by which transport."""
    from rich.console import Console

    from tether.runners.show import picture, table

    plan = planned(wiring, sets)
    console = Console()
    console.print(table(plan))
    console.print(picture(plan), markup=False, highlight=False, soft_wrap=True)
    return 0


@app.command()
def up(
    wiring: WiringFile,
    sets: Sets = [],  # noqa: B006 - typer reads it
    duration: Annotated[
        str, typer.Option("--for", help="end after this long: 90, 60s, 5m, 2h", metavar="TIME")
    ] = "",
    directory: Annotated[
        Path | None, typer.Option("--run", help="the run's directory (default: runs/NAME-TIME)")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="go on from the checkpoints of this run", metavar="RUN"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="which of the hosts this machine is", metavar="NAME")
    ] = "",
    keys: KeysPath = None,
    ssh: Annotated[
        bool, typer.Option("--ssh", help="be home, and start the agents of all other hosts by ssh")
    ] = False,
    attached: Annotated[
        bool, typer.Option("--attached", help="not at home: end when the standard input does")
    ] = False,
) -> int:
    """Run a wiring until every run() has ended: here, or as one of several hosts."""
    from tether.runners.keys import KEYS
    from tether.runners.launch import launch
    from tether.runners.outpost import take_part
    from tether.runners.whereabouts import whereabouts

    seconds = parsed_duration(duration) if duration else None
    plan = planned(wiring, sets)
    here = whereabouts(plan, (host or plan.home) if ssh else host)
    if ssh and here != plan.home:
        raise typer.BadParameter(f"--ssh is for home, which is {plan.home}, but this is {here}")
    if here != plan.home:
        folder = keys or wiring.parent / KEYS
        return take_part(plan, here, resume or directory, folder, attached=attached)
    return launch(wiring, plan, sets, seconds, directory, resume, keys=keys, ssh=ssh)


@app.command()
def simulate(
    wiring: WiringFile,
    sets: Sets = [],  # noqa: B006 - typer reads it
    seed: Annotated[int, typer.Option(help="all chance is drawn from it")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="simulate so many, from --seed on")] = 1,
    network: Annotated[
        Path | None, typer.Option(help="latencies, bandwidths, losses, times of computing (TOML)")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="what goes wrong, and when (TOML)", metavar="FILE")
    ] = None,
    duration: Annotated[
        str, typer.Option("--for", help="end after so much virtual time", metavar="TIME")
    ] = "1h",
    directory: Annotated[
        Path | None, typer.Option("--run", help="the directory (default: runs/NAME-seedN-TIME)")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="write every packet's headers there, a line each")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes for many seeds")] = os.cpu_count()
    or 1,
) -> int:
    """Run a wiring in one process, in virtual time, on a simulated network with seeded faults."""
    from tether.runners.simulate import Setting
    from tether.runners.simulating import simulate as simulated
    from tether.runners.simulating import simulate_all

    setting = Setting(wiring, sets, network, faults, parsed_duration(duration))
    if seeds == 1:
        return simulated(setting, seed, directory, trace)
    if directory is not None or trace is not None:
        raise typer.BadParameter("--run and --trace are for one seed; leave out --seeds")
    return simulate_all(setting, seed, seeds, jobs)


@app.command()
def keys(
    folder: Annotated[Path, typer.Argument(help="where they are put", metavar="DIR")] = Path(
        "keys"
    ),
    wiring: Annotated[Path | None, typer.Argument(help="a wiring with hosts (TOML)")] = None,
    hosts: Annotated[
        str, typer.Option("--hosts", help="the hosts they are for", metavar="A,B")
    ] = "",
) -> int:
    """Make the keys with which the hosts of a run know each other: a file a host."""
    from tether.runners.keys import hosts_of, write_keys

    for file in write_keys(folder, hosts_of(wiring, hosts)):
        print(file)
    return 0


@app.command()
def stop(run: RunPath) -> int:
    """End a run in good order: mailboxes drain, final states are kept."""
    from tether.runners.stop import stop_run

    print(stop_run(run))
    return 0


@app.command()
def plot(run: RunPath) -> int:
    """Draw a run's curves as RUN/plot.png."""
    from tether.runners.plot import plot as draw

    print(draw(run))
    return 0


def parsed_duration(text: str) -> float:
    """Return the seconds of a time like 90, 60s, 5m, 2h or 1d."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time; 90, 60s, 5m, 2h and 1d are")
    return float(found[1]) * UNITS[found[2]]
