"""The command `naysayer bench turns`."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

KILLED = ("worker", "retrain", "nobody")


def bench_turns(
    runs: Annotated[
        int, typer.Option(min=1, help="Trials; in turn the worker, the retrain and nobody is killed.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the moments at which they are killed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Worker and retrain take turns on one device, with kill -9 at random: never both there, no vote lost."""
    from tqdm import tqdm

    from bench.turns.trial import rated_store, trial

    found = []
    with tempfile.TemporaryDirectory() as folder:
        template = rated_store(Path(folder) / "template" / "data")
        for number in tqdm(range(runs), unit="trial"):
            own = Path(folder) / str(number)
            own.mkdir()
            found.append(trial(template, own, KILLED[number % len(KILLED)], seed + number))
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
