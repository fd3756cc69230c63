"""The command `naysayer bench turns`."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from store.errors import NaysayerError

if TYPE_CHECKING:
    from bench.turns.trial import Found

KILLED = ("worker", "retrain", "nobody")
Trial = Callable[[Path, str, int], "Found"]


def bench_turns(
    runs: Annotated[
        int, typer.Option(min=1, help="Trials; in turn the worker, the retrain and nobody is killed.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the moments at which they are killed.")] = 0,
    memory_limited: Annotated[
        bool,
        typer.Option(help="In a control group whose memory holds one heavy model, not two; needs root on Linux."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Worker and retrain take turns on one device, with kill -9 at random: never both there, no vote lost."""
    from tqdm import tqdm

    found = []
    with tempfile.TemporaryDirectory() as folder:
        try_once = (_limited if memory_limited else _plain)(Path(folder))
        for number in tqdm(range(runs), unit="trial"):
            own = Path(folder) / str(number)
            own.mkdir()
            found.append(try_once(own, KILLED[number % len(KILLED)], seed + number))
            for fault in found[-1].faults:
                typer.echo(f"trial {number} ({found[-1].killed} killed): {fault}", err=True)
    good = sum(not one.faults for one in found)
    if as_json:
        typer.echo(json.dumps({"good": good, "runs": runs, "trials": [one._asdict() for one in found]}))
    else:
        votes = sum(one.votes for one in found)
        typer.echo(f"{good} of {runs} trials: turns were taken, no two models at once, none of {votes} votes lost")
    if good < runs:
        raise typer.Exit(1)


def _plain(folder: Path) -> Trial:
    from bench.turns.trial import rated_store, trial

    template = rated_store(folder / "template" / "data")
    return lambda own, killed, seed: trial(template, own, killed, seed)


def _limited(folder: Path) -> Trial:
    """Trials under a limit that two processes do not keep which take no turns. Raises NaysayerError without a group."""
    from bench.turns.group import NoGroup, memory_limited
    from bench.turns.limited import heavy_store, killed_without_turns, limited_trial

    try:
        with memory_limited(2**30):
            pass
    except NoGroup as error:
        raise NaysayerError(str(error)) from error
    heavy, without = heavy_store(folder / "heavy"), folder / "without"
    without.mkdir()
    if not killed_without_turns(heavy, without):
        raise NaysayerError(f"both models fit into {heavy.limit / 1e9:.1f} GB, so the trials would show nothing")
    typer.echo(f"without turns one of the two is killed, at {heavy.limit / 1e9:.1f} GB", err=True)
    return lambda own, killed, seed: limited_trial(heavy, own, killed, seed)
